package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Attention is softmax(q·kᵀ/√D)·v for q [B, S, N, D] and k, v [B, T, N, D]; it
// returns [B, S, N·D]. The softmax runs in float32. bias is added to the scores
// and broadcasts to [B, N, S, T]; nil adds nothing.
func Attention(q, k, v, bias *Node) *Node {
	return ScaledAttention(q, k, v, bias, 1/math.Sqrt(float64(q.Shape().Dim(3))))
}

// ScaledAttention is Attention with another factor in place of 1/√D.
func ScaledAttention(q, k, v, bias *Node, scale float64) *Node {
	dims := q.Shape().Dimensions // B S N D
	scores := MulScalar(Einsum("bsnd,btnd->bnst", q, k), scale)
	scores = ConvertDType(scores, dtypes.Float32)
	if bias != nil {
		scores = Add(scores, ConvertDType(bias, dtypes.Float32))
	}
	p := ConvertDType(Softmax(scores, -1), v.DType())
	return Reshape(Einsum("bnst,btnd->bsnd", p, v), dims[0], dims[1], dims[2]*dims[3])
}

// SplitHeads reshapes [B, S, N·D] to [B, S, N, D].
func SplitHeads(x *Node, heads int) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0], d[1], heads, d[2]/heads)
}
