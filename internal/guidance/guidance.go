// Package guidance is classifier-free guidance (Ho and Salimans, 2022): a network
// predicts twice, for the prompt and for what is not wanted, and the difference is
// exaggerated.
package guidance

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Wanted says whether a scale asks for two predictions. Diffusers' pipelines leave
// the second one out at scales up to 1, and so do we.
func Wanted(scale float64) bool { return scale > 1 }

// Predict returns n + scale·(p - n), where n and p are the network's predictions
// for the conditions negative and positive at the same latents [B, ...]. Both are
// made in one batch [negative, positive], 2B rows; every condition has a leading
// axis of B.
func Predict(scale float64, latents *Node, negative, positive []*Node, network func(latents *Node, cond []*Node) *Node) *Node {
	both := make([]*Node, len(positive))
	for k := range both {
		both[k] = Concatenate([]*Node{negative[k], positive[k]}, 0)
	}
	return Combine(scale, network(Concatenate([]*Node{latents, latents}, 0), both))
}

// Combine is what Predict does with the predictions [negative, positive], [2B, ...].
func Combine(scale float64, predictions *Node) *Node {
	parts := Split(predictions, 0, 2)
	return Add(parts[0], MulScalar(Sub(parts[1], parts[0]), scale))
}
