package nn

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestLinearKeepsFrozenWeights looks for a copy of the weight in float32, which
// would double the memory of a model in bfloat16.
func TestLinearKeepsFrozenWeights(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const batch, in, out = 3, 5, 7
		l := NewLinear(c.In("layer"), in, out, Bias)
		require.NoError(t, c.Err())
		var copies []string
		x := random(rng, batch, in)
		results := run(t, rt, func(nodes []*Node) []*Node {
			// The weight comes in bfloat16, as from such a checkpoint.
			x := ConvertDType(nodes[0], dtypes.BFloat16)
			loss := ReduceAllSum(Square(ConvertDType(l.Apply(Pass{}, x), dtypes.Float32)))
			before := len(x.Graph().Nodes())
			gradient := Gradient(loss, x)[0]
			for _, n := range x.Graph().Nodes()[before:] {
				if n.DType() == dtypes.Float32 && n.Shape().Size() == in*out {
					copies = append(copies, n.String())
				}
			}
			return []*Node{ConvertDType(gradient, dtypes.Float32), Gradient(ReduceAllSum(Square(l.Apply(Pass{}, nodes[0]))), nodes[0])[0]}
		}, x)
		require.Empty(t, copies)
		half, full := results[0].Value().([][]float32), results[1].Value().([][]float32)
		for i := range full {
			require.InDeltaSlice(t, full[i], half[i], 0.5)
		}
	})
}
