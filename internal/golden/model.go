package golden

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
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

// FirstOfClass returns a function that says of fixtures, asked one after the other, whether they are the first whose
// model, in a folder of theirs, is of its class: that of a pipeline or of a language model.
func FirstOfClass(t testing.TB) func(f *Fixture, folder string) bool {
	seen := map[string]bool{}
	return func(f *Fixture, folder string) bool {
		t.Helper()
		class, err := class(os.DirFS(f.Path(folder)))
		require.NoError(t, err)
		known := seen[class]
		seen[class] = true
		return !known
	}
}

// class is what a folder says that its model is.
func class(folder fs.FS) (string, error) {
	pipeline, err := hf.ReadField[string](folder, "model_index.json", "_class_name")
	if !errors.Is(err, fs.ErrNotExist) {
		return pipeline, err
	}
	architectures, err := hf.ReadField[[]string](folder, "config.json", "architectures")
	return strings.Join(architectures, ","), err
}

// Changed is Model with the files of testdata/changed/name laid over it: what people
// have in their folders in place of the fixture's files.
func (f *Fixture) Changed(t testing.TB, folder, name string) fstest.MapFS {
	t.Helper()
	own, err := ownFolder()
	require.NoError(t, err)
	files := f.Model(t, folder)
	over := (&Fixture{Folder: filepath.Join(own, "changed")}).Model(t, name)
	require.NotEmpty(t, over)
	maps.Copy(files, over)
	return files
}
