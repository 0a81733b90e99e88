package lora_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/hubtest"
	"github.com/dualprocess/dualprocess-go/lora"
)

// TestLoadFromRepository: a downloaded adapter is the one that was put there, with
// PEFT's configuration where it has one.
func TestLoadFromRepository(t *testing.T) {
	s := hubtest.Start(t, nil)
	o := hub.Options{Endpoint: s.URL, Cache: t.TempDir(), Anonymous: true}
	folders, err := filepath.Glob("../internal/golden/testdata/generator/*/lora/*")
	require.NoError(t, err)
	loaded := 0
	for _, folder := range folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			continue
		}
		files, err := filepath.Glob(filepath.Join(folder, "*.safetensors"))
		require.NoError(t, err)
		for _, file := range files {
			want, err := lora.Load(file, nil)
			if err != nil {
				continue // of a naming that only a generator can read
			}
			s.Put("owner/lines", "main", hubtest.Folder(t, folder))
			got, err := hub.Adapter(t.Context(), "owner/lines/"+filepath.Base(file), o)
			require.NoError(t, err)
			adapter, err := lora.Load(got, nil)
			require.NoError(t, err)
			require.Equal(t, want, adapter)
			loaded++
		}
	}
	require.Positive(t, loaded)
}
