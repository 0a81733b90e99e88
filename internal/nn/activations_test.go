package nn

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

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
