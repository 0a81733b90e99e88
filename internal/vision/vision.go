// Package vision is what the vision-language models share in looking at a
// picture: processing that is differentiable down to the pixels, and the towers of
// CLIP, SigLIP and Pixtral.
//
// Pictures are float32 [batch, height, width, channels]. Sizes are height, width
// everywhere. Processing runs in float32 whatever the tower computes in.
//
// Graph functions panic on misuse, as those of GoMLX do.
package vision

import "fmt"

// Size is a height and a width, in pixels or in patches.
type Size struct{ Height, Width int }

// String is "height x width", the order in which models speak of sizes.
func (s Size) String() string { return fmt.Sprintf("%d x %d", s.Height, s.Width) }

// Area is the number of pixels or patches.
func (s Size) Area() int { return s.Height * s.Width }
