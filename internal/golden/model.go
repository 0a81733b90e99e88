package golden

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
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

// Class is the class that the model's folder names: of a pipeline or of a model.
func (f *Fixture) Class(t testing.TB, folder string) string {
	t.Helper()
	for _, name := range []string{"model_index.json", "config.json"} {
		data, err := os.ReadFile(filepath.Join(f.Path(folder), name))
		if err != nil {
			continue
		}
		var about struct {
			Class         string   `json:"_class_name"`
			Architectures []string `json:"architectures"`
		}
		require.NoError(t, json.Unmarshal(data, &about))
		return about.Class + strings.Join(about.Architectures, ",")
	}
	require.Fail(t, "no configuration", f.Path(folder))
	return ""
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
