package pipeline

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/lora"
)

// Guides says whether a scale of classifier-free guidance (Ho and Salimans, 2022)
// asks for two predictions: for the prompt, and for what is not wanted. Diffusers'
// pipelines leave the second one out at scales up to 1, and so do we.
func Guides(scale float64) bool { return scale > 1 }

// Negative returns what Encoding.Negative is at a scale of guidance.
func Negative[P any](scale float64, prompt P) *P {
	if !Guides(scale) {
		return nil
	}
	return &prompt
}

// Guided returns n + scale·(p - n), where p and n are the network's predictions at
// the same latents [B, ...] for the conditions of the prompt and of the negative
// prompt, of which cond holds first the former and then the latter. Both are made in
// one batch [negative, positive], 2B rows; every condition has a leading axis of B.
// Where the scale does not guide, cond holds the former alone, and p is returned.
// That is the order of Encoder.Encode. The network is given d, the adapter, for its
// batch.
func Guided(scale float64, d *lora.Delta, latents *Node, cond []*Node, network func(d *lora.Delta, latents *Node, cond []*Node) *Node) *Node {
	if !Guides(scale) {
		return network(d, latents, cond)
	}
	positive, negative := Both(d, latents, cond, network)
	return Add(negative, MulScalar(Sub(positive, negative), scale))
}

// Both returns the network's predictions for the conditions of the prompt and of the
// negative prompt, as Guided makes them.
func Both(d *lora.Delta, latents *Node, cond []*Node, network func(d *lora.Delta, latents *Node, cond []*Node) *Node) (positive, negative *Node) {
	half := len(cond) / 2
	both := make([]*Node, half)
	for k := range both {
		both[k] = Concatenate([]*Node{cond[half+k], cond[k]}, 0)
	}
	predictions := Split(network(d.Repeat(2), Concatenate([]*Node{latents, latents}, 0), both), 0, 2)
	return predictions[1], predictions[0]
}
