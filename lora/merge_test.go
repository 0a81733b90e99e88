package lora

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

func TestMerge(t *testing.T) {
	q, k := Layer{Name: "q", In: 5, Out: 4}, Layer{Name: "k", In: 5, Out: 4}
	first := filled(t, Config{Rank: 2, Alpha: 3, Seed: 1}, q, k)
	second := filled(t, Config{Rank: 3, Alpha: 1, Seed: 2}, q)
	weights := []float64{0.7, -1.3}
	merged, err := Merge(weights, first, second)
	require.NoError(t, err)
	require.Equal(t, 1.0, merged.Weight())
	require.Equal(t, "2 layers, rank 2 to 5, 63 numbers, weight 1", merged.String())
	rng := rand.New(rand.NewPCG(3, 0))
	in := []*tensors.Tensor{random(rng, 3, 5), random(rng, 3, 4)}
	x, y, g := flat(t, in[0]), flat(t, in[1]), make([]float32, 12)
	eachBackend(t, func(t *testing.T, b compute.Backend) {
		out := run(t, b, merged, 2, in, func(d *Delta, in, _ []*Node) []*Node {
			return []*Node{d.Linear("q", in[0], in[1]), d.Linear("k", in[0], in[1])}
		})
		want, _, _ := linear(x, y, g, first.parts[1], 2*weights[0]*3/2)
		extra, _, _ := linear(x, make([]float32, 12), g, second.parts[0], 2*weights[1]*1/3)
		for i := range want {
			want[i] += extra[i]
		}
		near(t, want, flat(t, out[0]), 1e-6)
		want, _, _ = linear(x, y, g, first.parts[0], 2*weights[0]*3/2)
		near(t, want, flat(t, out[1]), 1e-6)
	})
}

func TestMergeRefuses(t *testing.T) {
	a := filled(t, Config{Rank: 2}, Layer{Name: "q", In: 5, Out: 4})
	wide := filled(t, Config{Rank: 2}, Layer{Name: "q", In: 6, Out: 4})
	_, err := Merge(nil)
	require.ErrorIs(t, err, ErrConfig)
	_, err = Merge([]float64{1}, a, a)
	require.ErrorIs(t, err, ErrConfig)
	_, err = Merge([]float64{1, math.NaN()}, a, a)
	require.ErrorIs(t, err, ErrConfig)
	_, err = Merge([]float64{1, 1}, a, wide)
	require.ErrorIs(t, err, ErrMismatch)
	_, err = Merge([]float64{1, 1e300}, a, a)
	require.ErrorIs(t, err, ErrNotFinite)
}

func TestScale(t *testing.T) {
	a := filled(t, Config{Rank: 2, Alpha: 8}, Layer{Name: "q", In: 5, Out: 4})
	half, err := a.Scale(0.5)
	require.NoError(t, err)
	require.Equal(t, 4.0, half.parts[0].alpha)
	require.Equal(t, 8.0, a.parts[0].alpha, "the first adapter is as it was")
	require.Equal(t, 3.0, half.WithWeight(3).Weight())
	_, err = a.Scale(math.Inf(1))
	require.ErrorIs(t, err, ErrConfig)
}
