package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// OffsetRMSNorm is Gemma's RMS norm: its gain is 1 plus the parameter, and the
// product is taken in float32, before the result is rounded.
type OffsetRMSNorm struct {
	Weight  *model.Variable // [channels]
	Epsilon float64
}

// NewOffsetRMSNorm reads an RMS norm.
func NewOffsetRMSNorm(c weights.Cursor, channels int, epsilon float64) *OffsetRMSNorm {
	return &OffsetRMSNorm{c.Variable("weight", channels), epsilon}
}

// Apply normalises the last axis of x, in float32.
func (n *OffsetRMSNorm) Apply(x *Node) *Node {
	y := ConvertDType(x, dtypes.Float32)
	y = Div(y, Sqrt(AddScalar(ReduceAndKeep(Square(y), ReduceMean, -1), n.Epsilon)))
	y = Mul(y, ExpandLeftToRank(OnePlus(value(n.Weight, y)), x.Rank()))
	return ConvertDType(y, x.DType())
}
