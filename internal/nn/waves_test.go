package nn

import (
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestSineWaves lists what diffusers' get_timestep_embedding gives.
func TestSineWaves(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, _ weights.Cursor, _ *rand.Rand) {
		times := tensors.FromFlatDataAndDimensions([]float32{0, 981}, 2)
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{SineWaves(in[0], 4, in[0].DType())} }, times)[0]
		assert.InDeltaSlice(t, []float32{1, 1, 0, 0, 0.6799572, -0.9267152, 0.7332518, -0.3757644}, flat(out), 2e-5)
	})
}
