package golden

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// Model returns the files of a fixture's folder in memory, so that a test can
// spoil one of them.
func (f *Fixture) Model(t testing.TB, folder string) fstest.MapFS {
	t.Helper()
	from, files := os.DirFS(f.Path(folder)), fstest.MapFS{}
	require.NoError(t, fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	}))
	return files
}
