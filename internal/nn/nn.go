// Package nn holds the layers and computations that the models share.
//
// A layer is a noun: a struct of its parameters, with Apply. It knows its own name,
// its place in the checkpoint; by it an adapter finds the layer, and tests find its
// output. What else it needs besides its input comes in a Pass:
//
//	y := l.q.Apply(f, x)
//
// Weights keep the checkpoint's names and layout ([out, in] for linear layers,
// [out, in, height, width] for kernels) and its dtype; they are converted to the
// dtype of the input where they are used. Pictures are channels-last, [batch,
// height, width, channels]: on 2 cores XLA's convolutions were 1.2 to 2 times
// faster so than with channels first at the sizes of the pocket models.
//
// Axis letters in comments: B batch, H height, W width, C channels, S sequence,
// N heads, D head dimension.
//
// Graph functions panic on misuse, as those of GoMLX do.
package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Whether a layer has a bias, for its constructor.
const (
	Bias   = true
	NoBias = false
)

// Layer is what most layers are: one input, one output.
type Layer interface {
	Apply(f Pass, x *Node) *Node
}

// value returns a parameter in the graph and dtype of x.
func value(v *model.Variable, x *Node) *Node {
	return ConvertDType(v.NodeValue(x), x.DType())
}

// perChannel returns a parameter [C] so that it broadcasts to x [..., C].
func perChannel(v *model.Variable, x *Node) *Node {
	return ExpandLeftToRank(value(v, x), x.Rank())
}
