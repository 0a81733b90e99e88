package lifesize

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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
