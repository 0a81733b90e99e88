package nn

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// TestDepthwiseConv2D compares a depthwise convolution, with and without an
// adapter, with a dense one whose kernel is zero between different channels.
func TestDepthwiseConv2D(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const size, channels, rank, weight = 6, 3, 2, 0.5
		for _, k := range []int{3, 5} {
			l := NewDepthwiseConv2D(c.In("depthwise", k), channels, k, Bias)
			require.NoError(t, c.Err())
			a, err := lora.New(lora.Config{Rank: rank, Alpha: rank}, []lora.Layer{{Name: l.Name, In: channels, Out: channels, Kernel: [2]int{k, k}}})
			require.NoError(t, err)
			low, high := random(rng, rank, channels, k, k), random(rng, channels, rank, 1, 1)
			x := random(rng, 1, size, size, channels)
			got := run(t, rt, func(n []*Node) []*Node {
				y := l.Apply(Pass{Delta: a.Delta(n[1:], Const(n[0].Graph(), float32(weight)))}, n[0])
				return []*Node{l.Apply(Pass{}, n[0]), y, Gradient(ReduceAllSum(y), n[1])[0]}
			}, x, low, high)

			area, bias := k*k, flat(l.Bias.MustValue())
			dense := make([]float32, channels*channels*area)
			for ch := range channels {
				copy(dense[ch*(channels+1)*area:], flat(l.Weight.MustValue())[ch*area:(ch+1)*area])
			}
			assert.InDeltaSlice(t, conv2D(flat(x), dense, bias, size, channels, channels, k, 1, k/2), flat(got[0]), 1e-4)
			for i := range dense {
				o, rest := i/(channels*area), i%(channels*area)
				for r := range rank {
					dense[i] += weight * flat(high)[o*rank+r] * flat(low)[r*channels*area+rest]
				}
			}
			assert.InDeltaSlice(t, conv2D(flat(x), dense, bias, size, channels, channels, k, 1, k/2), flat(got[1]), 1e-4)
			assert.NotContains(t, flat(got[2]), float32(0))
		}
	})
}

func TestReLU(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{-2, 0, 3}, 3)
		out := run(t, rt, func(in []*Node) []*Node {
			y := ReLU(in[0])
			return []*Node{y, Gradient(ReduceAllSum(y), in[0])[0]}
		}, x)
		assert.Equal(t, []float32{0, 0, 3}, flat(out[0]))
		assert.Equal(t, []float32{0, 0, 1}, flat(out[1]))
	})
}
