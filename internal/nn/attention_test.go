package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestAttention hides one key by its bias: the answer is the value of the other.
func TestAttention(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		q, k, v := random(rng, 1, 1, 2, 3), random(rng, 1, 2, 2, 3), random(rng, 1, 2, 2, 3)
		bias := tensors.FromFlatDataAndDimensions([]float32{0, -1e9}, 1, 1, 1, 2)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{Attention(in[0], in[1], in[2], in[3])} }, q, k, v, bias)[0]
		assert.Equal(t, []int{1, 1, 6}, out.Shape().Dimensions)
		assert.InDeltaSlice(t, flat(v)[:6], flat(out), 1e-6)
	})
}

// TestGroupedAttention: heads that share keys are as if each had a copy.
func TestGroupedAttention(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		const batch, queries, keys, heads, shared, dim = 2, 3, 5, 6, 2, 4
		out := run(t, rt, func(in []*Node) []*Node {
			q, k, v, bias := in[0], in[1], in[2], in[3]
			repeat := func(x *Node) *Node {
				x = BroadcastToDims(InsertAxes(x, 3), batch, keys, shared, heads/shared, dim)
				return Reshape(x, batch, keys, heads, dim)
			}
			grouped := GroupedAttention(q, k, v, bias, 0.3, 0)
			copied := ScaledAttention(q, repeat(k), repeat(v), bias, 0.3)
			loss := func(x *Node) *Node { return ReduceAllSum(Square(x)) }
			all := append([]*Node{grouped, copied}, Gradient(loss(grouped), q, k, v)...)
			return append(all, Gradient(loss(copied), q, k, v)...)
		}, random(rng, batch, queries, heads, dim), random(rng, batch, keys, shared, dim), random(rng, batch, keys, shared, dim),
			random(rng, 1, 1, queries, keys))
		assert.Equal(t, []int{batch, queries, heads * dim}, out[0].Shape().Dimensions)
		for _, pair := range [][2]int{{0, 1}, {2, 5}, {3, 6}, {4, 7}} {
			assert.InDeltaSlice(t, flat(out[pair[1]]), flat(out[pair[0]]), 1e-5)
		}
	})
}

// TestSoftCap: attention between two keys whose scores are capped, and the cap alone.
func TestSoftCap(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		q := tensors.FromFlatDataAndDimensions([]float32{1, 0}, 1, 1, 1, 2)
		k := tensors.FromFlatDataAndDimensions([]float32{8, 1, -2, 5}, 1, 2, 1, 2)
		v := tensors.FromFlatDataAndDimensions([]float32{1, 0, 0, 1}, 1, 2, 1, 2)
		out := run(t, rt, func(in []*Node) []*Node {
			return []*Node{GroupedAttention(in[0], in[1], in[2], nil, 0.5, 3), SoftCap(in[1], 2), SoftCap(in[1], 0)}
		}, q, k, v)
		a, b := math.Exp(3*math.Tanh(4./3)), math.Exp(3*math.Tanh(-1./3))
		assert.InDeltaSlice(t, []float32{float32(a / (a + b)), float32(b / (a + b))}, flat(out[0]), 1e-6)
		assert.InDelta(t, 2*math.Tanh(-1), flat(out[1])[2], 1e-6)
		assert.Equal(t, flat(k), flat(out[2]))
	})
}
