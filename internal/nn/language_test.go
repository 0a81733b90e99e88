package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

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

func TestRotateHalves(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		x := random(rng, 1, 1, 2, 6)
		angles := tensors.FromFlatDataAndDimensions([]float32{0.5, -1, 3}, 1, 1, 1, 3)
		got := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{Rotary{Cos(in[1]), Sin(in[1])}.RotateHalves(in[0])} }, x, angles)[0])
		for head := range 2 {
			for k, angle := range flat(angles) {
				a, b := float64(flat(x)[head*6+k]), float64(flat(x)[head*6+k+3])
				sin, cos := math.Sincos(float64(angle))
				assert.InDelta(t, a*cos-b*sin, got[head*6+k], 1e-5)
				assert.InDelta(t, b*cos+a*sin, got[head*6+k+3], 1e-5)
			}
		}
	})
}

func TestOffsetRMSNorm(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		n, x := NewOffsetRMSNorm(c.In("norm"), 4, 1e-6), random(rng, 2, 4)
		require.NoError(t, c.Err())
		got := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{n.Apply(Pass{}, in[0])} }, x)[0])
		gain := flat(n.Weight.MustValue())
		for i, v := range flat(x) {
			row, square := flat(x)[i/4*4:i/4*4+4], 0.
			for _, w := range row {
				square += float64(w) * float64(w) / 4
			}
			assert.InDelta(t, float64(v)/math.Sqrt(square)*(1+float64(gain[i%4])), got[i], 1e-5)
		}
	})
}
