package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestGroupNorm(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const places, channels, groups, each = 6, 4, 2, 2
		norm := NewGroupNorm(c.In("norm"), groups, channels, 1e-6)
		require.NoError(t, c.Err())
		x := random(rng, 1, 2, 3, channels)
		out := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{norm.Apply(Pass{}, in[0])} }, x)[0])
		gain, offset := flat(norm.Weight.MustValue()), flat(norm.Bias.MustValue())
		for group := range groups {
			var mean, square float64
			for place := range places {
				for k := range each {
					v := float64(flat(x)[place*channels+group*each+k])
					mean, square = mean+v/(places*each), square+v*v/(places*each)
				}
			}
			for place := range places {
				for k := range each {
					i, channel := place*channels+group*each+k, group*each+k
					want := (float64(flat(x)[i]) - mean) / math.Sqrt(square-mean*mean+1e-6)
					assert.InDelta(t, want*float64(gain[channel])+float64(offset[channel]), out[i], 1e-4)
				}
			}
		}
	})
}

func TestDouble(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4}, 1, 2, 2, 1)
		out := run(t, rt, func(in []*Node) []*Node {
			double := Double(in[0])
			return []*Node{double, Gradient(ReduceAllSum(double), in[0])[0]}
		}, x)
		assert.Equal(t, []float32{1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}, flat(out[0]))
		assert.Equal(t, []float32{4, 4, 4, 4}, flat(out[1]))
	})
}

// TestPadZeros: zeros around a picture of two channels, and of what lies on its
// border the gradient of its own place alone.
func TestPadZeros(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 2, 2, 2)
		for _, test := range []struct {
			before, after int
			want, slope   []float32 // of the sum of the numbers times their places
		}{
			{0, 1, []float32{1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, []float32{0, 1, 2, 3, 6, 7, 8, 9}},
			{1, 0, []float32{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 5, 6, 7, 8}, []float32{8, 9, 10, 11, 14, 15, 16, 17}},
			{0, 0, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{0, 1, 2, 3, 4, 5, 6, 7}},
			{1, 1, append(append(make([]float32, 10), 1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8), make([]float32, 10)...), []float32{10, 11, 12, 13, 18, 19, 20, 21}},
		} {
			out := run(t, rt, func(in []*Node) []*Node {
				y := PadZeros(in[0], test.before, test.after, 1, 2)
				place := Reshape(Iota(y.Graph(), shapes.Make(y.DType(), y.Shape().Size()), 0), y.Shape().Dimensions...)
				return []*Node{y, Gradient(ReduceAllSum(Mul(y, place)), in[0])[0]}
			}, x)
			assert.Equal(t, test.want, flat(out[0]))
			assert.Equal(t, test.slope, flat(out[1]))
		}
	})
}

// TestRotateNeighbors rotates by right angles: (1, 0) becomes (0, 1) after one of them.
func TestRotateNeighbors(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		table := NewRotaryTable([][]float64{{0, 0}, {math.Pi / 2, math.Pi}}, []int{2, 4}, 10000)
		assert.InDeltaSlice(t, []float32{0, -1, float32(math.Cos(math.Pi / 100))}, table.Cos[1], 1e-7)
		x := random(rng, 1, 2, 1, 6)
		out := flat(run(t, rt, func(in []*Node) []*Node {
			return []*Node{table.In(in[0].Graph()).RotateNeighbors(in[0])}
		}, x)[0])
		assert.Equal(t, flat(x)[:6], out[:6], "the first place is the origin")
		a, b := flat(x)[6], flat(x)[7]
		assert.InDeltaSlice(t, []float32{-b, a, -flat(x)[8], -flat(x)[9]}, out[6:10], 1e-6)
	})
}

func TestQuickGELU(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := tensors.FromFlatDataAndDimensions([]float32{-2, 0, 1.5}, 3)
		out := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{QuickGELU(in[0])} }, x)[0])
		assert.InDeltaSlice(t, []float32{-0.064344, 0, 1.391658}, out, 1e-5)
	})
}
