package lifesize_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// TestWrite: a checkpoint on a disk opens with its weights, which are those of the file system, of the sizes that keep
// activations of order one.
func TestWrite(t *testing.T) {
	m, err := published.Model("FLUX.1-schnell-tiny", os.DirFS("../golden/testdata"))
	require.NoError(t, err)
	files, err := m.Files(t.Context())
	require.NoError(t, err)
	to := t.TempDir()
	require.NoError(t, lifesize.Write(t.Context(), files, to))
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close()) }()
	require.NoError(t, m.Open(t.Context(), rt, os.DirFS(to)))

	const name = "transformer/diffusion_pytorch_model.safetensors"
	written, err := safetensors.OpenFile(filepath.Join(to, filepath.FromSlash(name)))
	require.NoError(t, err)
	defer written.Close()
	made, err := safetensors.Open(files, name)
	require.NoError(t, err)
	for _, info := range written.Tensors() {
		values, err := written.Float32s(info.Name)
		require.NoError(t, err)
		again, err := made.Float32s(info.Name)
		require.NoError(t, err)
		require.Equal(t, values, again, info.Name)
		if len(info.Shape) == 2 && len(values) > 4000 {
			sum := 0.
			for _, v := range values {
				sum += float64(v) * float64(v)
			}
			assert.InEpsilon(t, 1/math.Sqrt(float64(info.Shape[1])), math.Sqrt(sum/float64(len(values))), 0.1, info.Name)
		}
	}
	require.NoError(t, lifesize.Write(t.Context(), files, to), "files that are there stay")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, lifesize.Write(ended, files, t.TempDir()), context.Canceled)
}
