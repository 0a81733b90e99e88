package generator

import (
	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// ErrOptions says that a field of Options is out of its range, or one that the model
// does not have; the error names it. The models' own ErrOptions are this one.
var ErrOptions = pipeline.ErrOptions

// Options of Open: what several models have. The zero value suits the model; its
// defaults and ranges are in the documentation of its own Options. A field that is
// set and that the model does not have is an error.
type Options struct {
	// Height and Width of the pictures in pixels: multiples of 8, 16 or 32.
	Height, Width int
	// Steps from noise to picture.
	Steps int
	// Guidance exaggerates the difference that the prompt makes. nil = what suits
	// the model, which is not the same as 0.
	Guidance *float64
	// NegativePrompt says what guidance leads away from.
	NegativePrompt string
	// TextTokens is the length that prompts are cut or padded to. Fewer tokens take
	// less time and memory.
	TextTokens int
	// Checkpoint says whether activations are computed again in the backward pass
	// instead of being kept, for less memory and more time.
	Checkpoint backends.Checkpointing
}
