package weights_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// TestUpload: tensors of sizes about those of huge pages arrive as they are in the file, can be computed with and read
// back, and survive that others are freed.
func TestUpload(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := map[string]int{"small": 7, "below": 1<<18 - 1, "at": 1 << 18, "odd": 1<<20 + 4099, "large": 5<<20 + 1}
	var list []safetensors.Tensor
	for name, size := range sizes {
		values := make([]float32, size)
		for i := range values {
			values[i] = rng.Float32()
		}
		list = append(list, safetensors.FromFloat32s(name, values, size))
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	require.NoError(t, safetensors.WriteFile(path, list, nil))
	golden.Backends(t, func(t *testing.T, rt *backends.Runtime, _ golden.Part) {
		file, err := safetensors.OpenFile(path)
		require.NoError(t, err)
		defer file.Close()
		for name := range sizes {
			freed, err := file.TensorOn(rt.Backend, name)
			require.NoError(t, err)
			value, err := file.TensorOn(rt.Backend, name)
			require.NoError(t, err)
			require.NoError(t, freed.FinalizeAll())
			want, err := file.Float32s(name)
			require.NoError(t, err)
			require.Equal(t, want, tensors.MustCopyFlatData[float32](value))
			negative := graph.MustExecOnce(rt.Backend, graph.Neg, value)
			require.Equal(t, -want[len(want)-1], tensors.MustCopyFlatData[float32](negative)[len(want)-1])
		}
	})
}
