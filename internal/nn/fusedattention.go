package nn

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// On an H100, cuDNN's attention, forth and back, took 2.6 times less than the products and the softmax at 1536 tokens of
// 24 heads of 128, 2.3 times less at 1000 of 12 heads of 80, and 1.3 times more at 256 tokens of 4 heads of 64.
const (
	fusedFrom  = 512 // tokens
	fusedWidth = 128 // of a head, at most; cuDNN's backward pass has no wider ones everywhere
)

// fusable says whether the backend has attention in one kernel, with a gradient, for these shapes. XLA on an NVIDIA card
// has cuDNN's, in half precision, unless backends.Options.PlainAttention is set; go-xla v0.4.5 sizes keys and values by
// the queries in it, so there must be as many.
func fusable(q, k, v *Node) bool {
	return q.Shape().Equal(k.Shape()) && q.Shape().Equal(v.Shape()) &&
		fuses(q.Graph().Backend(), q.DType(), q.Shape().Dim(1), q.Shape().Dim(3))
}

// fuses is fusable for an attention over tokens, with heads of that width.
func fuses(b compute.Backend, dtype dtypes.DType, tokens, width int) bool {
	has := b.Capabilities().Operations
	return has[compute.OpTypeFusedScaledDotProductAttention] && has[compute.OpTypeFusedScaledDotProductAttentionVJP] &&
		dtype.IsHalfPrecision() && tokens >= fusedFrom && width%8 == 0 && width <= fusedWidth
}

// ScoreBytes estimates what a backward pass keeps of the scores of attention without a bias over tokens: eight bytes of
// each, and nothing where the backend has attention in one kernel.
func ScoreBytes(b compute.Backend, dtype dtypes.DType, tokens, heads, width int) int {
	if fuses(b, dtype, tokens, width) {
		return 0
	}
	return 8 * heads * tokens * tokens
}

// fusedAttention is ScaledAttention without a bias.
func fusedAttention(q, k, v *Node, scale float64) *Node {
	d := q.Shape().Dimensions
	y, _ := BackendFusedScaledDotProductAttention(q, k, v, compute.AttentionAxesLayoutBSHD, &compute.ScaledDotProductAttentionConfig{Scale: scale})
	return Reshape(y, d[0], d[1], d[2]*d[3])
}
