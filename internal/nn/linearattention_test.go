package nn

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestLinearAttention compares both forms with the sums written out.
func TestLinearAttention(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		const s, n, d = 5, 2, 3
		q, k, v := random(rng, 1, s, n, d), random(rng, 1, s, n, d), random(rng, 1, s, n, d)
		got := run(t, rt, func(in []*Node) []*Node {
			return []*Node{LinearAttention(in[0], in[1], in[2]), LinearAttentionBySimilarity(in[0], in[1], in[2])}
		}, q, k, v)
		at := func(x *tensors.Tensor, i, head, j int) float32 { return flat(x)[(i*n+head)*d+j] }
		var want []float32
		for i := range s {
			for head := range n {
				sum, total := [d]float32{}, float32(0)
				for o := range s {
					score := float32(0)
					for j := range d {
						score += max(0, at(q, i, head, j)) * max(0, at(k, o, head, j))
					}
					total += score
					for j := range d {
						sum[j] += score * at(v, o, head, j)
					}
				}
				for j := range d {
					want = append(want, sum[j]/(total+linearEpsilon))
				}
			}
		}
		assert.InDeltaSlice(t, want, flat(got[0]), 1e-4)
		assert.InDeltaSlice(t, want, flat(got[1]), 1e-4)
	})
}
