package sd

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// TestConvolutions adapts all kinds of convolutions that the U-Net has: gradients
// reach their matrices, and their file comes back.
func TestConvolutions(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, checkpoint(t), Options{Height: 72, Width: 88})
	require.NoError(t, err)
	cond, err := g.Encode(t.Context(), "")
	require.NoError(t, err)
	layers := pipelinetest.Layers(t, rt, g, cond)
	a, err := lora.New(lora.Config{Rank: 2, Prefix: g.Preset().Prefix, Targets: []string{
		"conv_in", "conv_out", "conv1", "conv2", "conv_shortcut", "proj_in", "proj_out", "downsamplers.*.conv", "upsamplers.*.conv",
	}}, layers)
	require.NoError(t, err)
	rng, params := rand.New(rand.NewPCG(1, 2)), a.Params()
	for k := 1; k < len(params); k += 2 {
		params[k] = pipelinetest.Noise(rng, 0.1, params[k].Shape().Dimensions...)
	}
	a, err = a.WithParams(params)
	require.NoError(t, err)
	for _, l := range a.Layers() {
		require.True(t, l.IsConv(), l.Name)
	}

	x, err := g.Latents(1)
	require.NoError(t, err)
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		latents, i, cond, params := in[0], in[1], in[2:4], in[4:]
		prediction := g.Predict(a.Delta(params, Const(latents.Graph(), float32(1))), latents, i, cond)
		out := golden.Outputs{"adapted": prediction, "base": g.Predict(nil, latents, i, cond)}
		for k, gradient := range Gradient(ReduceAllSum(Square(prediction)), params...) {
			out[fmt.Sprint(k)] = ReduceAllMax(Abs(gradient))
		}
		return out
	}, pipelinetest.Flatten(x, int32(25), cond, params)...)
	require.Error(t, golden.Close(got.Floats(t, "adapted"), got.Floats(t, "base"), 1e-3))
	for k, x := range got {
		if k != "adapted" && k != "base" {
			require.Positive(t, tensors.ToScalar[float32](x), "gradient %s", k)
		}
	}

	path := filepath.Join(t.TempDir(), "convolutions.safetensors")
	require.NoError(t, a.Save(path, lora.SaveOptions{}))
	again, err := lora.Load(path, layers)
	require.NoError(t, err)
	require.Equal(t, a, again)
}
