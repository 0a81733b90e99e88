package generatortest

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// testBatch: rows of a batch, each with a prompt of its own, do not see each other.
func (s *subject) testBatch(t *testing.T) {
	both := s.latents(t, 3, 4)
	prediction, clean, next := s.step(t, both, 0, 1, s.stacked(0, 1))
	pictures := s.picture(t, clean)
	for k, seed := range []int64{3, 4} {
		wantPrediction, wantClean, wantNext := s.step(t, s.latents(t, seed), 0, 1, s.cond[k])
		s.requireClose(t, row(prediction, k), flat(wantPrediction), "prediction")
		s.requireClose(t, row(next, k), flat(wantNext), "next latents")
		s.requireClose(t, row(clean, k), flat(wantClean), "clean estimate")
		s.requireClose(t, row(pictures, k), flat(s.picture(t, wantClean)), "picture")
	}
}

func (s *subject) requireClose(t *testing.T, got, want []float32, what string) {
	require.LessOrEqual(t, difference(t, got, want), s.tolerance(), what)
}

// apart is the least difference that is none of rounding, within one program.
const apart = 1e-6

// testInputs: the prediction depends on all that it is given.
func (s *subject) testInputs(t *testing.T) {
	x := s.latents(t, 3)
	base, _, _ := s.step(t, x, 0, 1, s.cond[0])
	other := func(latents *tensors.Tensor, i int, cond []*tensors.Tensor) float64 {
		prediction, _, _ := s.step(t, latents, i, 1, cond)
		return difference(t, flat(prediction), flat(base))
	}
	require.Zero(t, other(x, 0, s.cond[0]), "the same inputs give something else")
	require.Greater(t, other(x, 0, s.cond[1]), apart, "another prompt makes no difference")
	require.Greater(t, other(s.latents(t, 4), 0, s.cond[0]), apart, "other latents make no difference")
	if last := s.g.Steps() - 1; last > 0 {
		require.Greater(t, other(x, last, s.cond[0]), apart, "another step makes no difference")
	}
}

// testWeightZero: an adapter at weight 0 leaves the base model, and else it
// changes it.
func (s *subject) testWeightZero(t *testing.T) {
	base, err := graphs.NewExecutor(s.rt, func(in []*Node) []*Node {
		return []*Node{s.g.Predict(nil, in[0], in[1], in[2:])}
	})
	require.NoError(t, err)
	defer base.Finalize()
	x := s.latents(t, 3)
	out, err := base.Call(append([]any{x, int32(0)}, anys(s.cond[0])...)...)
	require.NoError(t, err)
	zero, _, _ := s.step(t, x, 0, 0, s.cond[0])
	s.requireClose(t, flat(zero), flat(out[0]), "prediction at weight 0")
	one, _, _ := s.step(t, x, 0, 1, s.cond[0])
	require.Greater(t, difference(t, flat(one), flat(zero)), apart, "the adapter makes no difference")
}

// testGradients: a loss on the picture has a gradient with respect to every matrix
// of the adapter, and to the latents.
func (s *subject) testGradients(t *testing.T) {
	exec, err := graphs.NewExecutor(s.rt, func(in []*Node) []*Node {
		latents, i, delta, cond := s.take(in)
		picture := s.g.Decode(s.g.Clean(latents, s.g.Predict(delta, latents, i, cond), i))
		slope := IotaFull(picture.Graph(), picture.Shape()) // no two pixels count alike
		loss := ReduceAllMean(Mul(picture, MulScalar(slope, 1/float64(picture.Shape().Size()))))
		return Gradient(loss, append(in[3+len(cond):], latents)...)
	})
	require.NoError(t, err)
	defer exec.Finalize()
	out, err := exec.Call(s.given(s.latents(t, 3), 0, 1, s.cond[0])...)
	require.NoError(t, err)
	for k, gradient := range out {
		name := "the latents"
		if k < len(out)-1 {
			name = matrix(s.adapter, k)
		}
		require.True(t, finite(gradient), "gradient of %s", name)
		require.NotZero(t, difference(t, flat(gradient), make([]float32, gradient.Shape().Size())), "gradient of %s is zero", name)
	}
}

// testClean: the last step ends where the clean estimate is, but for what little
// noise a schedule may leave.
func (s *subject) testClean(t *testing.T) {
	x := s.latents(t, 3)
	var clean *tensors.Tensor
	for i := range s.g.Steps() {
		_, clean, x = s.step(t, x, i, 1, s.cond[0])
	}
	require.LessOrEqual(t, difference(t, flat(x), flat(clean)), 0.1)
}

// testNoise: from step to step, and from level to level, there is less noise.
func (s *subject) testNoise(t *testing.T) {
	n, ok := s.g.(dualprocess.Noiser)
	if !ok {
		t.Skip("not a dualprocess.Noiser")
	}
	exec, err := graphs.NewExecutor(s.rt, func(in []*Node) []*Node {
		return []*Node{n.Noise(in[0], in[1], in[2])}
	})
	require.NoError(t, err)
	defer exec.Finalize()
	clean, noise := s.latents(t, 3), s.latents(t, 4)
	fall := func(first, count int) {
		before := 0.0
		for k := range count {
			out, err := exec.Call(clean, noise, int32(first+k*max(1, count/8)))
			require.NoError(t, err)
			require.True(t, out[0].Shape().Equal(clean.Shape()) && out[0].DType() == dtypes.Float32, "Noise gives %s", out[0].Shape())
			require.True(t, finite(out[0]))
			distance := difference(t, flat(out[0]), flat(clean))
			require.True(t, k == 0 || distance < before, "there is not less noise at %d", first+k)
			before = distance
			if k*max(1, count/8)+max(1, count/8) >= count {
				return
			}
		}
	}
	fall(0, s.g.Steps())
	if l, ok := s.g.(dualprocess.Leveler); ok {
		fall(s.g.Steps(), l.Levels())
	}
}
