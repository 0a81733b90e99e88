package sana

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// TestHalf compares a prediction, a picture and a gradient in bfloat16 with those
// in float32. Single numbers may be far off: where a query of linear attention is
// nearly zero, rounding decides what it attends to. PyTorch's are no closer.
func TestHalf(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, checkpoint(t), Options{Height: 64, Width: 96, TextTokens: 16, Instruction: new("")})
	require.NoError(t, err)
	cond, err := g.Encode(t.Context(), "a red horse")
	require.NoError(t, err)
	noise, err := g.Latents(1)
	require.NoError(t, err)
	run := func() golden.Results {
		return golden.Run(t, rt, func(in []*Node) golden.Outputs {
			prediction := g.Predict(nil, in[0], in[1], in[2:])
			picture := g.Decode(g.Clean(in[0], prediction, in[1]))
			gradient := Gradient(ReduceAllSum(Square(picture)), in[0])[0]
			return golden.Outputs{"prediction": prediction, "picture": picture, "gradient": gradient}
		}, pipelinetest.Flatten(noise, int32(10), cond)...)
	}
	full := run()
	rt.DType = dtypes.BFloat16
	half := run()
	for name, limit := range map[string]float64{"prediction": 0.05, "picture": 0.1, "gradient": 0.25} {
		off := euclidean(full.Floats(t, name), half.Floats(t, name))
		require.Less(t, off, limit, name)
		require.Greater(t, off, 1e-5, name)
	}
}

// euclidean is the Euclidean distance over the norm of the first.
func euclidean(want, got []float32) float64 {
	norm, off := 0.0, 0.0
	for i := range want {
		norm += float64(want[i]) * float64(want[i])
		off += float64(got[i]-want[i]) * float64(got[i]-want[i])
	}
	return math.Sqrt(off / norm)
}

// TestGuidance sees to it that the negative prompt is encoded as one without an
// instruction, and that there is none where there is no guidance.
func TestGuidance(t *testing.T) {
	rt := golden.Plain(t)
	encode := func(o Options, prompt string) []*tensors.Tensor {
		o.Height, o.Width, o.TextTokens = 32, 32, 16
		g, err := OpenFS(t.Context(), rt, checkpoint(t), o)
		require.NoError(t, err)
		cond, err := g.Encode(t.Context(), prompt)
		require.NoError(t, err)
		return cond
	}
	without := encode(Options{Instruction: new(""), Guidance: new(1.0)}, "a red horse")
	require.Len(t, without, 2)
	with := encode(Options{Instruction: new("Draw this: "), NegativePrompt: "A red horse"}, "a red horse")
	require.Len(t, with, 4)
	require.True(t, with[2].Equal(without[0]))
	require.True(t, with[3].Equal(without[1]))
	require.False(t, with[0].Equal(with[2]))
	require.True(t, with[1].Shape().Equal(with[3].Shape()))
}
