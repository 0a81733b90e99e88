package nn

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestPatches(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		x := random(rng, 2, 4, 6, 3)
		out := run(t, rt, func(in []*Node) []*Node {
			p := Patches(in[0], 2)
			return []*Node{p, Unpatch(p, 2)}
		}, x)
		assert.Equal(t, []int{2, 2, 3, 12}, out[0].Shape().Dimensions)
		assert.Equal(t, flat(x), flat(out[1]))
		// The second patch of the first row begins at column 2.
		assert.Equal(t, flat(x)[2*3:4*3], flat(out[0])[12:18])
	})
}

func TestPixelShuffle(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		// Two channels at one place: each becomes a square.
		x := tensors.FromFlatDataAndDimensions([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 1, 1, 8)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{PixelShuffle(in[0], 2)} }, x)
		assert.Equal(t, []int{1, 2, 2, 2}, out[0].Shape().Dimensions)
		assert.Equal(t, []float32{1, 5, 2, 6, 3, 7, 4, 8}, flat(out[0]))
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
