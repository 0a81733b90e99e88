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
	Weight, Bias *model.Variable // [channels]
	Epsilon      float64
}

// NewLayerNorm reads a layer norm.
func NewLayerNorm(c weights.Cursor, channels int, epsilon float64) *LayerNorm {
	return &LayerNorm{c.Variable("weight", channels), c.Variable("bias", channels), epsilon}
}

// Apply normalises the last axis of x.
func (n *LayerNorm) Apply(x *Node) *Node {
	y := Normalize(x, n.Epsilon)
	y = Mul(y, ExpandLeftToRank(value(n.Weight, x), x.Rank()))
	return Add(y, ExpandLeftToRank(value(n.Bias, x), x.Rank()))
}

// RMSNorm divides by the root of the mean square of the last axis.
type RMSNorm struct {
	Weight  *model.Variable // [channels]
	Epsilon float64
}

// NewRMSNorm reads an RMS norm.
func NewRMSNorm(c weights.Cursor, channels int, epsilon float64) *RMSNorm {
	return &RMSNorm{c.Variable("weight", channels), epsilon}
}

// Apply normalises the last axis of x, in float32.
func (n *RMSNorm) Apply(x *Node) *Node {
	y := ConvertDType(x, dtypes.Float32)
	y = Div(y, Sqrt(AddScalar(ReduceAndKeep(Square(y), ReduceMean, -1), n.Epsilon)))
	return Mul(ConvertDType(y, x.DType()), ExpandLeftToRank(value(n.Weight, x), x.Rank()))
}
