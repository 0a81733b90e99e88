package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Linear is y = x·Wᵀ + b on the last axis.
type Linear struct {
	Name   string
	Weight *model.Variable // [out, in]
	Scale  *model.Variable // float32 [out], of a weight in int8, whose rows it multiplies; nil else
	Bias   *model.Variable // [out], nil without
}

// NewLinear reads a linear layer.
func NewLinear(c weights.Cursor, in, out int, bias bool) *Linear {
	w := c.Matrix("weight", out, in)
	l := &Linear{Name: c.Path(), Weight: w.Values, Scale: w.Scale}
	if bias {
		l.Bias = c.Variable("bias", out)
	}
	return l
}

// Apply maps x [..., in] to [..., out].
func (l *Linear) Apply(f Pass, x *Node) *Node {
	y := f.weigh(l.Weight, x, func(weight *Node) *Node {
		dot := Dot(x, weight)
		if x.DType().IsHalfPrecision() {
			// The default, float32, makes the backward pass convert every frozen weight to
			// float32. Tensor cores sum in float32 whatever is said here.
			dot = dot.WithAccumulatorDType(x.DType())
		}
		return dot.General([]int{x.Rank() - 1}, nil, []int{1}, nil)
	})
	if l.Scale != nil {
		y = scaled(y, l.Scale)
	}
	if l.Bias != nil {
		y = Add(y, perChannel(l.Bias, y))
	}
	return f.Record(l.Name, f.Delta.Linear(l.Name, x, y))
}

// scaled multiplies the channels of y, in float32.
func scaled(y *Node, scale *model.Variable) *Node {
	wide := ConvertDType(y, dtypes.Float32)
	return ConvertDType(Mul(wide, ExpandLeftToRank(scale.NodeValue(y), y.Rank())), y.DType())
}
