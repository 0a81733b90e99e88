package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestRotateHalves(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, rng *rand.Rand) {
		x := random(rng, 1, 1, 2, 6)
		angles := tensors.FromFlatDataAndDimensions([]float32{0.5, -1, 3}, 1, 1, 1, 3)
		got := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{Rotary{Cos(in[1]), Sin(in[1])}.RotateHalves(in[0])} }, x, angles)[0])
		for head := range 2 {
			for k, angle := range flat(angles) {
				a, b := float64(flat(x)[head*6+k]), float64(flat(x)[head*6+k+3])
				sin, cos := math.Sincos(float64(angle))
				assert.InDelta(t, a*cos-b*sin, got[head*6+k], 1e-5)
				assert.InDelta(t, b*cos+a*sin, got[head*6+k+3], 1e-5)
			}
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
