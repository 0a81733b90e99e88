package published

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestModel: every model opens with its sizes, and has about as many parameters as its name or its card says.
func TestModel(t *testing.T) {
	billions := map[string]float64{
		"FLUX.1-schnell": 11.9 + 4.76 + 0.123 + 0.05, "Qwen2.5-VL-7B": 8.29, "Qwen2.5-VL-3B": 3.75, "stable-diffusion-v1-4": 0.86 + 0.123 + 0.05,
		"Sana-1600M": 1.6 + 2.6 + 0.16, "SmolVLM2-500M": 0.507, "Gemma-3-4B": 4.3,
		"FLUX.2-klein-4B": 3.88 + 27./36*3.63 + 0.39 + 0.05, // 27 of the text encoder's 36 layers are used
		"Qwen3-VL-4B":     4.44, "Z-Image-Turbo": 6.15 + 4.02 + 0.05,
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			m, err := Model(name, os.DirFS("../../golden/testdata"))
			require.NoError(t, err)
			files, err := m.Files(t.Context())
			require.NoError(t, err)
			if want := billions[name]; want > 0 {
				bytes := int64(0)
				require.NoError(t, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
					if err != nil || !strings.HasSuffix(path, ".safetensors") {
						return err
					}
					info, err := fs.Stat(files, path)
					if err == nil {
						bytes += info.Size()
					}
					return err
				}))
				assert.InEpsilon(t, want, float64(bytes)/float64(m.DType.Size())/1e9, 0.03)
			}
		})
	}
	_, err := Model("no model", fs.FS(nil))
	assert.ErrorContains(t, err, "no model")
}
