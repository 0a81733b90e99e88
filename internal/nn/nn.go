// Package nn holds the layers and computations that the models share.
//
// A layer is a noun: a struct of its parameters, with Apply. Weights keep the
// checkpoint's names and layout ([out, in] for linear layers, [out, in, height,
// width] for kernels) and its dtype; they are converted to the dtype of the
// input where they are used. Pictures are channels-last, [batch, height, width,
// channels]: on 2 cores XLA's convolutions were 1.2 to 2 times faster so than
// with channels first at the sizes of the pocket models.
//
// Axis letters in comments: B batch, H height, W width, C channels, S sequence,
// N heads, D head dimension.
//
// Graph functions panic on misuse, as those of GoMLX do.
package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// value returns a parameter in the graph and dtype of x.
func value(v *model.Variable, x *Node) *Node {
	return ConvertDType(v.NodeValue(x), x.DType())
}

// Linear is y = x·Wᵀ + b on the last axis. An adapter finds it by its name.
type Linear struct {
	Name   string
	Weight *model.Variable // [out, in]
	Bias   *model.Variable // [out], nil without
}

// NewLinear reads a linear layer, with a bias.
func NewLinear(c weights.Cursor, in, out int) *Linear {
	l := NewLinearNoBias(c, in, out)
	l.Bias = c.Variable("bias", out)
	return l
}

// NewLinearNoBias reads a linear layer that has no bias.
func NewLinearNoBias(c weights.Cursor, in, out int) *Linear {
	return &Linear{Name: c.Path(), Weight: c.Variable("weight", out, in)}
}

// Apply maps x [..., in] to [..., out] and adds the adapter's change; a nil
// delta leaves the base model.
func (l *Linear) Apply(d *lora.Delta, x *Node) *Node {
	dot := Dot(x, value(l.Weight, x))
	if x.DType().IsHalfPrecision() {
		// The default, float32, makes the backward pass convert every frozen weight to
		// float32. Tensor cores sum in float32 whatever is said here.
		dot = dot.WithAccumulatorDType(x.DType())
	}
	y := dot.General([]int{x.Rank() - 1}, nil, []int{1}, nil)
	if l.Bias != nil {
		y = Add(y, ExpandLeftToRank(value(l.Bias, x), y.Rank()))
	}
	return d.Linear(l.Name, x, y)
}

// Embedding looks vectors up by their ids.
type Embedding struct {
	Weight *model.Variable // [vocabulary, dim]
}

// NewEmbedding reads a table of vectors.
func NewEmbedding(c weights.Cursor, vocabulary, dim int) *Embedding {
	return &Embedding{Weight: c.Variable("weight", vocabulary, dim)}
}

// Apply maps ids [...] (int32) to vectors [..., dim] in the dtype of the table.
func (e *Embedding) Apply(ids *Node) *Node {
	return Gather(e.Weight.NodeValue(ids), InsertAxes(ids, -1))
}

// SiLU is x·sigmoid(x).
func SiLU(x *Node) *Node { return Mul(x, Sigmoid(x)) }

// GELUTanh is the tanh approximation of GELU ("gelu_pytorch_tanh", "gelu_new").
func GELUTanh(x *Node) *Node {
	const rootTwoOverPi = 0.7978845608028654
	inner := MulScalar(Add(x, MulScalar(Mul(Square(x), x), 0.044715)), rootTwoOverPi)
	return Mul(MulScalar(x, 0.5), OnePlus(Tanh(inner)))
}
