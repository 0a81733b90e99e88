package vlmtest

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Plain opens the pure Go backend, which has nothing to compile.
func Plain(t testing.TB) *backends.Runtime {
	t.Helper()
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

// Rate asks the official question of a model's first fixture about its picture that
// is not square. The results are the "loss", its "gradient" by the picture, and all
// that the probe of vlm.Trace sees.
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
		picture := official.Tensor(t, key)
		size := sizeOf(picture)
		in, err := v.Prepare(t.Context(), dualprocess.Question{Text: q.Question, Answer: q.Answer, Bare: true}, size.Height, size.Width)
		require.NoError(t, err)
		return golden.Run(t, rt, func(p *nn.Probe, in []*Node) {
			image := TransposeAllAxes(in[0], 0, 2, 3, 1)
			loss := Neg(ReduceAllSum(v.LogProbs(image, [][]*Node{in[1:]})[0]))
			p.See("loss", Reshape(loss, 1))
			p.See("gradient", Gradient(loss, in[0])[0])
			vlm.Trace(v, p, image, in[1:])
		}, picture, in[0], in[1], in[2], in[3])
	}
	require.Fail(t, "no fixture", name)
	return nil
}

// Norm is the root of the sum of squares.
func Norm(values []float32) float64 {
	sum := 0.
	for _, x := range values {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}
