package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Normalize subtracts the mean of the last axis and divides by its standard
// deviation, in float32: a layer norm without parameters.
//
// 1/Sqrt and not Rsqrt, which has no gradient in GoMLX.
func Normalize(x *Node, epsilon float64) *Node {
	y := ConvertDType(x, dtypes.Float32)
	y = Sub(y, ReduceAndKeep(y, ReduceMean, -1))
	variance := ReduceAndKeep(Square(y), ReduceMean, -1)
	return ConvertDType(Div(y, Sqrt(AddScalar(variance, epsilon))), x.DType())
}

// LayerNorm is Normalize with a gain and an offset per channel.
type LayerNorm struct {
	Name         string
	Weight, Bias *model.Variable // [channels]
	Epsilon      float64
}

// NewLayerNorm reads a layer norm.
func NewLayerNorm(c weights.Cursor, channels int, epsilon float64) *LayerNorm {
	return &LayerNorm{c.Path(), c.Variable("weight", channels), c.Variable("bias", channels), epsilon}
}

// Apply normalises the last axis of x.
func (n *LayerNorm) Apply(f Pass, x *Node) *Node {
	y := Mul(Normalize(x, n.Epsilon), perChannel(n.Weight, x))
	return f.Record(n.Name, Add(y, perChannel(n.Bias, x)))
}

// RMSNorm divides by the root of the mean square of the last axis.
type RMSNorm struct {
	Name    string
	Weight  *model.Variable // [channels]
	Bias    *model.Variable // [channels], nil without
	Epsilon float64
}

// NewRMSNorm reads an RMS norm.
func NewRMSNorm(c weights.Cursor, channels int, epsilon float64, bias bool) *RMSNorm {
	n := &RMSNorm{Name: c.Path(), Weight: c.Variable("weight", channels), Epsilon: epsilon}
	if bias {
		n.Bias = c.Variable("bias", channels)
	}
	return n
}

// Apply normalises the last axis of x, in float32.
func (n *RMSNorm) Apply(f Pass, x *Node) *Node {
	y := Mul(ConvertDType(overRootMeanSquare(x, n.Epsilon), x.DType()), perChannel(n.Weight, x))
	if n.Bias != nil {
		y = Add(y, perChannel(n.Bias, x))
	}
	return f.Record(n.Name, y)
}

// OffsetRMSNorm is Gemma's RMS norm: its gain is 1 plus the parameter, and the
// product is taken in float32, before the result is rounded.
type OffsetRMSNorm struct {
	Name    string
	Weight  *model.Variable // [channels]
	Epsilon float64
}

// NewOffsetRMSNorm reads an RMS norm.
func NewOffsetRMSNorm(c weights.Cursor, channels int, epsilon float64) *OffsetRMSNorm {
	return &OffsetRMSNorm{c.Path(), c.Variable("weight", channels), epsilon}
}

// Apply normalises the last axis of x, in float32.
func (n *OffsetRMSNorm) Apply(f Pass, x *Node) *Node {
	y := overRootMeanSquare(x, n.Epsilon)
	y = Mul(y, ExpandLeftToRank(OnePlus(value(n.Weight, y)), x.Rank()))
	return f.Record(n.Name, ConvertDType(y, x.DType()))
}

// overRootMeanSquare is x over the root of the mean square of its last axis, in float32.
func overRootMeanSquare(x *Node, epsilon float64) *Node {
	y := ConvertDType(x, dtypes.Float32)
	return Div(y, Sqrt(AddScalar(ReduceAndKeep(Square(y), ReduceMean, -1), epsilon)))
}
