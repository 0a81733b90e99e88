package install

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// clearPip takes this machine's own settings out of a test.
func clearPip(t *testing.T) (home string) {
	t.Helper()
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	for _, name := range []string{
		"PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CERT", "VIRTUAL_ENV",
	} {
		t.Setenv(name, "")
	}
	return home
}

func TestPipSettings(t *testing.T) {
	clearPip(t)
	file := filepath.Join(t.TempDir(), "pip.conf")
	require.NoError(t, os.WriteFile(file, []byte(`
# comment
[global]
index_url = https://index.example/simple
extra-index-url =
    https://one.example/simple
    https://two.example/simple
cert: /certs.pem
[install]
index-url=https://install.example/simple
[other]
index-url=https://other.example/simple
`), 0o600))
	t.Setenv("PIP_CONFIG_FILE", file)
	require.Equal(t, Pip{
		Index: "https://install.example/simple",
		Extra: []string{"https://one.example/simple", "https://two.example/simple"},
		Cert:  "/certs.pem",
	}, PipSettings())

	t.Setenv("PIP_INDEX_URL", "https://environment.example/simple")
	t.Setenv("PIP_NO_INDEX", "1")
	got := PipSettings()
	require.Equal(t, "https://environment.example/simple", got.Index, "the environment wins")
	require.True(t, got.NoIndex)

	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	require.Equal(t, Pip{Index: "https://environment.example/simple", Extra: []string{}, NoIndex: true}, PipSettings())
}

func FuzzParsePipFile(f *testing.F) {
	f.Add([]byte("[global]\nindex-url = https://index.example/simple\n  more\n"))
	f.Add([]byte("key = before any section\n[\n=\n:\n  continued"))
	f.Add([]byte("[a]\nno_value\n\tcontinued\n; comment"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, values := range parsePipFile(text) {
			for key, value := range values {
				require.NotEmpty(t, key)
				require.NotContains(t, key+value, "\n")
			}
		}
	})
}
