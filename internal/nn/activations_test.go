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
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestActivations(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{-2, 0, 1.5}, 3)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{SiLU(in[0]), GELUTanh(in[0])} }, x)
		assert.InDeltaSlice(t, []float32{-0.238406, 0, 1.226361}, flat(out[0]), 1e-5)
		assert.InDeltaSlice(t, []float32{-0.045402, 0, 1.399572}, flat(out[1]), 1e-5)
	})
}

func TestActivation(t *testing.T) {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	defer rt.Close()
	for name, want := range map[string]float32{ // at 0.7
		"gelu": 0.530625, "gelu_pytorch_tanh": 0.530570, "gelu_new": 0.530570, "quick_gelu": 0.536894, "silu": 0.467731, "swish": 0.467731,
	} {
		f, err := Activation(name)
		require.NoError(t, err)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{f(in[0])} }, tensors.FromFlatDataAndDimensions([]float32{0.7}, 1))
		assert.InDelta(t, want, flat(out[0])[0], 2e-5, name)
	}
	_, err = Activation("mish")
	require.ErrorIs(t, err, hf.ErrConfig)
	require.ErrorContains(t, err, "mish")
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

func TestGELU(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := []float32{-6, -1, 0, 0.3, 2}
		out := run(t, rt, func(in []*Node) []*Node {
			y := GELU(in[0])
			return []*Node{y, Gradient(ReduceAllSum(y), in[0])[0]}
		}, tensors.FromFlatDataAndDimensions(x, len(x)))
		for i, v := range x {
			below := 0.5 * (1 + math.Erf(float64(v)/math.Sqrt2))
			density := math.Exp(-float64(v)*float64(v)/2) / math.Sqrt(2*math.Pi)
			assert.InDelta(t, float64(v)*below, flat(out[0])[i], 1e-6)
			assert.InDelta(t, below+float64(v)*density, flat(out[1])[i], 1e-6)
		}
	})
}

func TestQuickGELU(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{-2, 0, 1.5}, 3)
		out := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{QuickGELU(in[0])} }, x)[0])
		assert.InDeltaSlice(t, []float32{-0.064344, 0, 1.391658}, out, 1e-5)
	})
}
