//go:build cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFlags: a CPU plugin that knows the flag is loaded with it, unless the user's environment says otherwise, and the
// environment is as it was afterwards.
func TestFlags(t *testing.T) {
	folder := t.TempDir()
	write := func(name, contents string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(contents), 0o600))
		return path
	}
	knows := write("pjrt_c_api_cpu_plugin.so", "..."+scheduler+"...")
	for name, test := range map[string]struct{ path, before, want string }{
		"nothing set":    {knows, "", schedulerFlag},
		"other flags":    {knows, "--xla_dump_to=/tmp", "--xla_dump_to=/tmp " + schedulerFlag},
		"set already":    {knows, "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_CONCURRENCY_OPTIMIZED", "--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_CONCURRENCY_OPTIMIZED"},
		"the older flag": {knows, "--xla_cpu_enable_concurrency_optimized_scheduler=true", "--xla_cpu_enable_concurrency_optimized_scheduler=true"},
		"an old plugin":  {write("pjrt_c_api_cpu_v1_plugin.so", "nothing"), "", ""},
		"a card":         {write("pjrt_c_api_cuda_plugin.so", scheduler), "", ""},
		"no plugin":      {filepath.Join(folder, "pjrt_c_api_cpu_v2_plugin.so"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(flagsEnv, test.before)
			require.NoError(t, withFlags(test.path, func() error {
				assert.Equal(t, test.want, os.Getenv(flagsEnv))
				return nil
			}))
			assert.Equal(t, test.before, os.Getenv(flagsEnv))
		})
	}
	t.Run("unset stays unset", func(t *testing.T) {
		t.Setenv(flagsEnv, "") // which puts back what there is
		require.NoError(t, os.Unsetenv(flagsEnv))
		require.NoError(t, withFlags(knows, func() error { return nil }))
		_, set := os.LookupEnv(flagsEnv)
		assert.False(t, set)
	})
}

// TestMentions: a text is found wherever pieces of the file end.
func TestMentions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, place := range []int{0, 1<<20 - 3, 1<<20 + 2, 2<<20 - 1, 3 << 20} {
		data := append(bytes.Repeat([]byte("."), place), "needle and more"...)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		assert.True(t, mentions(path, "needle"), place)
		assert.False(t, mentions(path, "noodle"), place)
	}
}
