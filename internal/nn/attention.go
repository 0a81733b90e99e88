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
	d := q.Shape().Dimensions
	if bias == nil && fusable(q, k, v) {
		return fusedAttention(q, k, v, scale)
	}
	q, k, v = byHead(MulScalar(q, scale)), byHead(k), byHead(v) // [B, N, S, D], [B, N, T, D]
	scores := ConvertDType(Einsum("bnsd,bntd->bnst", q, k), dtypes.Float32)
	if bias != nil {
		scores = Add(scores, ConvertDType(bias, dtypes.Float32))
	}
	return Reshape(byHead(weigh(scores, v)), d[0], d[1], d[2]*d[3])
}

// byHead swaps the two middle axes. Transposing q, k and v, which are small, saves
// transposing the scores, which are not, in the backward pass.
func byHead(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 1, 3) }

// weigh is softmax(scores)·v for scores [B, N, S, T] and v [B, N, T, D]. The division
// follows the product: it then runs over S·D numbers and not over S·T, forth and back.
func weigh(scores, v *Node) *Node {
	e := Exp(Sub(scores, StopGradient(ReduceAndKeep(scores, ReduceMax, -1))))
	sum := ReduceAndKeep(e, ReduceSum, -1)
	product := ConvertDType(Einsum("bnst,bntd->bnsd", ConvertDType(e, v.DType()), v), dtypes.Float32)
	return ConvertDType(Div(product, sum), v.DType())
}

// SplitHeads reshapes [B, S, N·D] to [B, S, N, D].
func SplitHeads(x *Node, heads int) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0], d[1], heads, d[2]/heads)
}
