package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// GroupedAttention is ScaledAttention in which N/K query heads that follow each
// other share one head of keys and values: q is [B, S, N, D], k and v are
// [B, T, K, D], and K divides N. Keys and values are not repeated in memory.
//
// Where softCap is not 0, scores are squeezed by softCap·tanh(score/softCap)
// before bias, which broadcasts to [B, 1, S, T] and may be nil, is added.
// It returns [B, S, N·D].
func GroupedAttention(q, k, v, bias *Node, scale, softCap float64) *Node {
	d, groups, t := q.Shape().Dimensions, k.Shape().Dim(2), k.Shape().Dim(1)
	shared := d[2] / groups
	// The heads of a group follow each other as further queries: [B, K, N/K·S, D].
	q = Reshape(byHead(q), d[0], groups, shared*d[1], d[3])
	k, v = byHead(k), byHead(v)
	scores := ConvertDType(Einsum("bnsd,bntd->bnst", q, k), dtypes.Float32)
	scores = SoftCap(MulScalar(scores, scale), softCap)
	if bias != nil {
		scores = Reshape(scores, d[0], groups, shared, d[1], t)
		scores = Add(scores, InsertAxes(ConvertDType(bias, dtypes.Float32), 2))
		scores = Reshape(scores, d[0], groups, shared*d[1], t)
	}
	y := Reshape(weigh(scores, v), d[0], d[2], d[1], d[3])
	return Reshape(byHead(y), d[0], d[1], d[2]*d[3])
}

// SoftCap squeezes x into (-limit, limit) by limit·tanh(x/limit); a limit of 0
// leaves it alone.
func SoftCap(x *Node, limit float64) *Node {
	if limit == 0 {
		return x
	}
	return MulScalar(Tanh(MulScalar(x, 1/limit)), limit)
}
