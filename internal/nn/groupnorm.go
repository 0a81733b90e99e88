package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// GroupNorm normalises groups of neighbouring channels over all places of a
// picture.
type GroupNorm struct {
	Weight, Bias *model.Variable // [channels]
	Groups       int
	Epsilon      float64
}

// NewGroupNorm reads a group norm; groups divides channels.
func NewGroupNorm(c weights.Cursor, groups, channels int, epsilon float64) *GroupNorm {
	return &GroupNorm{c.Variable("weight", channels), c.Variable("bias", channels), groups, epsilon}
}

// Apply normalises x [B, ..., C], in float32.
func (n *GroupNorm) Apply(x *Node) *Node {
	d := x.Shape().Dimensions
	channels := d[len(d)-1]
	y := Reshape(ConvertDType(x, dtypes.Float32), d[0], -1, n.Groups, channels/n.Groups)
	y = Sub(y, ReduceAndKeep(y, ReduceMean, 1, 3))
	variance := ReduceAndKeep(Square(y), ReduceMean, 1, 3)
	y = ConvertDType(Reshape(Div(y, Sqrt(AddScalar(variance, n.Epsilon))), d...), x.DType())
	y = Mul(y, ExpandLeftToRank(value(n.Weight, x), x.Rank()))
	return Add(y, ExpandLeftToRank(value(n.Bias, x), x.Rank()))
}
