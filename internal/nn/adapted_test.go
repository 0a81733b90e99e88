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

// TestAdaptedConv2D compares an adapted convolution with one whose kernel has the
// adapter's product added.
func TestAdaptedConv2D(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const size, in, out, rank, weight = 6, 3, 4, 2, 0.5
		for _, shape := range [][3]int{{3, 1, 1}, {3, 2, 1}, {1, 1, 0}} { // kernel, stride, padding
			l := NewConv2D(c.In("adapted", shape), in, out, Kernel{shape[0], shape[1], shape[2]}, Bias)
			require.NoError(t, c.Err())
			k := shape[0]
			a, err := lora.New(lora.Config{Rank: rank, Alpha: rank}, []lora.Layer{{Name: l.Name, In: in, Out: out, Kernel: [2]int{k, k}}})
			require.NoError(t, err)
			low, high := random(rng, rank, in, k, k), random(rng, out, rank, 1, 1)
			x := random(rng, 1, size, size, in)
			got := run(t, rt, func(n []*Node) []*Node {
				adapted := Pass{Delta: a.Delta(n[1:], Const(n[0].Graph(), float32(weight)))}
				return []*Node{l.Apply(adapted, n[0]), l.Apply(Pass{}, n[0])}
			}, x, low, high)

			kernel := flat(l.Weight.MustValue())
			assert.InDeltaSlice(t, conv2D(flat(x), kernel, flat(l.Bias.MustValue()), size, in, out, k, shape[1], shape[2]), flat(got[1]), 1e-4)
			changed := append([]float32(nil), kernel...)
			for i := range changed {
				o, rest := i/(in*k*k), i%(in*k*k)
				for r := range rank {
					changed[i] += weight * flat(high)[o*rank+r] * flat(low)[r*in*k*k+rest]
				}
			}
			assert.InDeltaSlice(t, conv2D(flat(x), changed, flat(l.Bias.MustValue()), size, in, out, k, shape[1], shape[2]), flat(got[0]), 1e-4, "%v", shape)
		}
	})
}

// TestSineWaves lists what diffusers' get_timestep_embedding gives.
func TestSineWaves(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		times := tensors.FromFlatDataAndDimensions([]float32{0, 981}, 2)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{SineWaves(in[0], 4, in[0].DType())} }, times)[0]
		assert.InDeltaSlice(t, []float32{1, 1, 0, 0, 0.6799572, -0.9267152, 0.7332518, -0.3757644}, flat(out), 2e-5)
	})
}
