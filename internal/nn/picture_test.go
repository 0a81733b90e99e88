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

func TestGroupNorm(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const places, channels, groups, each = 6, 4, 2, 2
		norm := NewGroupNorm(c.In("norm"), groups, channels, 1e-6)
		require.NoError(t, c.Err())
		x := random(rng, 1, 2, 3, channels)
		out := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{norm.Apply(in[0])} }, x)[0])
		gain, offset := flat(norm.Weight.MustValue()), flat(norm.Bias.MustValue())
		for group := range groups {
			var mean, square float64
			for place := range places {
				for k := range each {
					v := float64(flat(x)[place*channels+group*each+k])
					mean, square = mean+v/(places*each), square+v*v/(places*each)
				}
			}
			for place := range places {
				for k := range each {
					i, channel := place*channels+group*each+k, group*each+k
					want := (float64(flat(x)[i]) - mean) / math.Sqrt(square-mean*mean+1e-6)
					assert.InDelta(t, want*float64(gain[channel])+float64(offset[channel]), out[i], 1e-4)
				}
			}
		}
	})
}

func TestDoubleAndPadEnd(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4}, 1, 2, 2, 1)
		out := run(t, rt, func(in []*Node) []*Node {
			double := Double(in[0])
			return []*Node{double, Gradient(ReduceAllSum(double), in[0])[0], PadEnd(in[0])}
		}, x)
		assert.Equal(t, []float32{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}, flat(out[0]))
		assert.Equal(t, []float32{4, 4, 4, 4}, flat(out[1]))
		assert.Equal(t, []float32{1, 2, 0, 3, 4, 0, 0, 0, 0}, flat(out[2]))
	})
}

// TestRotate turns by right angles: (1, 0) becomes (0, 1) after one of them.
func TestRotate(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		table := NewRotary([][]float64{{0, 0}, {math.Pi / 2, math.Pi}}, []int{2, 4}, 10000)
		assert.InDeltaSlice(t, []float32{0, -1, float32(math.Cos(math.Pi / 100))}, table.Cos[1], 1e-7)
		x := random(rng, 1, 2, 1, 6)
		out := flat(run(t, rt, func(in []*Node) []*Node {
			cos, sin := table.Nodes(in[0].Graph())
			return []*Node{Rotate(in[0], cos, sin)}
		}, x)[0])
		assert.Equal(t, flat(x)[:6], out[:6], "the first place is the origin")
		a, b := flat(x)[6], flat(x)[7]
		assert.InDeltaSlice(t, []float32{-b, a, -flat(x)[8], -flat(x)[9]}, out[6:10], 1e-6)
	})
}

func TestQuickGELU(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{-2, 0, 1.5}, 3)
		out := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{QuickGELU(in[0])} }, x)[0])
		assert.InDeltaSlice(t, []float32{-0.064344, 0, 1.391658}, out, 1e-5)
	})
}

func TestProbe(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		seen := &Seen{}
		run(t, rt, func(in []*Node) []*Node {
			var none *Probe
			assert.Same(t, in[0], none.In("a", 1).See("b", in[0]))
			p := NewProbe(seen).In("blocks", 0)
			p.See("attn", in[0])
			p.See("attn", in[0])
			p.See("", in[0])
			return in
		}, random(rng, 1))
		assert.Equal(t, []string{"blocks.0.attn", "blocks.0.attn#2", "blocks.0"}, seen.Names)
	})
}
