package nn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// linearEpsilon keeps the division of LinearAttention from dividing by zero.
const linearEpsilon = 1e-15

// LinearAttention is attention whose scores are relu(q)·relu(k) over their sum, in
// place of a softmax (Katharopoulos et al., 2020; Cai et al., 2023), for q, k and
// v [B, S, N, D]. It returns [B, S, N·D] in the dtype of v. As nothing stands
// between the two products, keys meet values first, and the cost grows with S and
// not with S². Computed in float32: the sums run over all of S.
func LinearAttention(q, k, v *Node) *Node {
	dtype := v.DType()
	q, k, v = positive(q), positive(k), ConvertDType(v, dtypes.Float32)
	kv := Einsum("bsnd,bsne->bnde", k, v)
	sum := Einsum("bsnd,bnde->bsne", q, kv)
	weight := Einsum("bsnd,bnd->bsn", q, ReduceSum(k, 1))
	return joinHeads(Div(sum, InsertAxes(AddScalar(weight, linearEpsilon), -1)), dtype)
}

// LinearAttentionBySimilarity is LinearAttention with the scores computed one by
// one: less work where S is at most D.
func LinearAttentionBySimilarity(q, k, v *Node) *Node {
	dtype := v.DType()
	scores := Einsum("bsnd,btnd->bnst", positive(q), positive(k))
	scores = Div(scores, AddScalar(ReduceAndKeep(scores, ReduceSum, -1), linearEpsilon))
	return joinHeads(Einsum("bnst,btnd->bsnd", scores, ConvertDType(v, dtypes.Float32)), dtype)
}

func positive(x *Node) *Node { return ReLU(ConvertDType(x, dtypes.Float32)) }

// joinHeads reshapes [B, S, N, D] to [B, S, N·D].
func joinHeads(x *Node, dtype dtypes.DType) *Node {
	d := x.Shape().Dimensions
	return ConvertDType(Reshape(x, d[0], d[1], d[2]*d[3]), dtype)
}
