package generatortest

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// testMixed: pictures with adapters and weights of their own, in one batch, are those
// of their adapters alone.
func (s *subject) testMixed(t *testing.T) {
	adapters, weights := [][]*tensors.Tensor{s.adapter.Params(), s.adapter.Params()}, []float64{1, -.5}
	for _, p := range adapters[1] {
		tensors.MustMutableFlatData(p, func(values []float32) {
			for i := range values {
				values[i] = values[len(values)-1-i] * 1.5
			}
		})
	}
	x, cond := s.latents(t, 3, 4), s.stacked(0, 1)
	got := s.mixed(t, adapters, weights, x, cond)
	for a, params := range adapters {
		in := append([]any{x, int32(0), float32(weights[a])}, anys(cond)...)
		want, err := s.predict.Call(append(in, anys(params)...)...)
		require.NoError(t, err)
		s.requireClose(t, row(got, a), row(want[0], a), "prediction")
		require.Greater(t, difference(t, row(got, 1-a), row(want[0], 1-a)), apart, "both have the same adapter")
	}
}

// mixed returns the prediction at step 0 for pictures with adapters of their own.
func (s *subject) mixed(t *testing.T, adapters [][]*tensors.Tensor, weights []float64, latents *tensors.Tensor, cond []*tensors.Tensor) *tensors.Tensor {
	exec, err := graphs.NewExecutor(s.rt, func(in []*Node) []*Node {
		n := len(adapters[0])
		delta := s.adapter.BatchDelta([][]*Node{in[3 : 3+n], in[3+n : 3+2*n]}, in[2])
		return []*Node{s.g.Predict(delta, in[0], in[1], in[3+2*n:])}
	})
	require.NoError(t, err)
	defer exec.Finalize()
	in := []any{latents, int32(0), [][]float32{s.adapter.Scales(weights[0]), s.adapter.Scales(weights[1])}}
	for _, params := range adapters {
		in = append(in, anys(params)...)
	}
	out, err := exec.Call(append(in, anys(cond)...)...)
	require.NoError(t, err, "adapters side by side: if a layer cannot, say so by Options.Separate")
	return out[0]
}
