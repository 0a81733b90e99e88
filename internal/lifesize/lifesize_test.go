package lifesize

import (
	"context"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// TestWrite: a checkpoint on a disk opens with its weights, which are those of the file system, of the sizes that keep
// activations of order one.
func TestWrite(t *testing.T) {
	m, err := Published("FLUX.1-schnell-tiny", os.DirFS("../golden/testdata"))
	require.NoError(t, err)
	files, err := m.Files(t.Context())
	require.NoError(t, err)
	to := t.TempDir()
	require.NoError(t, Write(t.Context(), files, to))
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
	require.NoError(t, Write(t.Context(), files, to), "files that are there stay")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Write(ended, files, t.TempDir()), context.Canceled)
}

// TestPublished: every model opens with its sizes, and has about as many parameters as its name or its card says.
func TestPublished(t *testing.T) {
	billions := map[string]float64{
		"FLUX.1-schnell": 11.9 + 4.76 + 0.123 + 0.05, "Qwen2.5-VL-7B": 8.29, "Qwen2.5-VL-3B": 3.75, "stable-diffusion-v1-4": 0.86 + 0.123 + 0.05,
		"Sana-1600M": 1.6 + 2.6 + 0.16, "SmolVLM2-500M": 0.507,
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			m, err := Published(name, os.DirFS("../golden/testdata"))
			require.NoError(t, err)
			files, err := m.Files(t.Context())
			require.NoError(t, err)
			if want := billions[name]; want > 0 {
				bytes := int64(0)
				for _, w := range files.(*folder).weights {
					bytes += w.size
				}
				assert.InEpsilon(t, want, float64(bytes)/float64(m.DType.Size())/1e9, 0.03)
			}
		})
	}
	_, err := Published("no model", fs.FS(nil))
	assert.ErrorContains(t, err, "no model")
}
