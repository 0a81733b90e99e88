package vlmtest

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Rate asks the official question of a model's first fixture about its picture that
// is not square. The results are the "loss" and its "gradient" by the picture.
func Rate(t *testing.T, rt *backends.Runtime, v *vlm.Verifier, name string) golden.Results {
	t.Helper()
	const key = "official_ns/image"
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var a about
		if f.Decode(t, &a); a.Name != name || f.Variant() != "" {
			continue
		}
		official := f.Beside(t, "official")
		var q struct{ Question, Answer string }
		official.Decode(t, &q)
		return rate(t, rt, v, dualprocess.Question{Text: q.Question, Answer: q.Answer, Bare: true}, channelsLastTensor(official.Tensor(t, key)))
	}
	require.Fail(t, "no fixture", name)
	return nil
}

// RateNoise is Rate for a question of its own about a picture of noise.
func RateNoise(t *testing.T, rt *backends.Runtime, v *vlm.Verifier, size vision.Size) golden.Results {
	t.Helper()
	return rate(t, rt, v, dualprocess.Question{Text: "Is it?", Answer: "Yes"}, Noise(size))
}

func rate(t *testing.T, rt *backends.Runtime, v *vlm.Verifier, q dualprocess.Question, picture *tensors.Tensor) golden.Results {
	t.Helper()
	in, err := v.Prepare(t.Context(), q, picture.Shape().Dim(1), picture.Shape().Dim(2))
	require.NoError(t, err)
	return golden.Run(t, rt, func(in []*Node) golden.Outputs {
		loss := Neg(ReduceAllSum(v.LogProbs(in[0], [][]*Node{in[1:]})[0]))
		return golden.Outputs{"loss": Reshape(loss, 1), "gradient": Gradient(loss, in[0])[0]}
	}, picture, in[0], in[1], in[2], in[3])
}

// Noise is a picture [1, H, W, 3] with a number for every place.
func Noise(size vision.Size) *tensors.Tensor {
	values := make([]float32, size.Area()*3)
	for i := range values {
		values[i] = float32(i*7919%1009) / 1009
	}
	return tensors.FromFlatDataAndDimensions(values, 1, size.Height, size.Width, 3)
}

// Norm is the root of the sum of squares.
func Norm(values []float32) float64 {
	sum := 0.
	for _, x := range values {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
