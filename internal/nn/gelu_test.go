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

func TestGELU(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		x := []float32{-6, -1, 0, 0.3, 2}
		out := run(t, rt, func(in []*Node) []*Node {
			y := GELU(in[0])
			return []*Node{y, Gradient(ReduceAllSum(y), in[0])[0]}
		}, tensors.FromFlatDataAndDimensions(x, len(x)))
		for i, v := range x {
			below := 0.5 * (1 + math.Erf(float64(v)/math.Sqrt2))
			density := math.Exp(-float64(v)*float64(v)/2) / math.Sqrt(2*math.Pi)
			assert.InDelta(t, float64(v)*below, flat(out[0])[i], 1e-6)
			assert.InDelta(t, below+float64(v)*density, flat(out[1])[i], 1e-6)
		}
	})
}
