package backends

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func touch(t *testing.T, elements ...string) string {
	t.Helper()
	path := filepath.Join(elements...)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("not a library"), 0o755))
	return path
}

func TestFindPlugins(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	old := touch(t, first, "pjrt_c_api_cpu_v0.1.0_plugin.so")
	plain := touch(t, first, "pjrt_c_api_cpu_plugin.so")
	wanted := touch(t, first, "pjrt_c_api_cpu_v0.2.0_plugin.so")
	alternative := touch(t, second, "pjrt-plugin-cpu.dylib")
	touch(t, second, "pjrt_c_api_cpux_plugin.so")
	touch(t, second, "pjrt_c_api_cuda_plugin.so")
	touch(t, second, "pjrt_c_api_cpu_plugin.so.part")
	require.NoError(t, os.Mkdir(filepath.Join(second, "pjrt_c_api_cpu_plugin.so"), 0o755))
	folders := []string{filepath.Join(first, "missing"), first, second, first}
	require.Equal(t, []string{wanted, plain, old, alternative}, findPlugins(folders, "cpu", "v0.2.0"))
	require.Empty(t, findPlugins(folders, "tpu", ""))
}

func TestPluginFolders(t *testing.T) {
	home := bare(t)
	t.Setenv(pluginPathEnv, "/first"+string(os.PathListSeparator)+string(os.PathListSeparator)+"relative")
	t.Setenv("XDG_DATA_HOME", "/data")
	got := pluginFolders()
	require.Equal(t, "/first", got[0])
	require.NotContains(t, got, "relative", "what is loaded must not depend on the working folder")
	require.Contains(t, got, "/data/go-xla")
	for _, library := range userLibraries() {
		require.Contains(t, got, filepath.Join(library, "go-xla"))
	}
	require.Contains(t, userLibraries()[0], home)

	t.Setenv("HOME", "")
	require.Equal(t, []string{"/data"}, userLibraries())
}

func TestLinkerFolders(t *testing.T) {
	folder := t.TempDir()
	list := filepath.Join(folder, "ld.conf")
	text := "# comment\ninclude " + folder + "/*.conf\n\n/opt/lib # why not\n"
	require.NoError(t, os.WriteFile(list, []byte(text), 0o600))
	got := linkerFolders(list, 0)
	require.Contains(t, got, "/opt/lib")
	require.LessOrEqual(t, len(got), 5, "a list that includes itself ends")
	require.Empty(t, linkerFolders(filepath.Join(folder, "missing"), 0))
}
