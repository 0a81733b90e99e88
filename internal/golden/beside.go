package golden

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Beside returns another fixture of the same folder, <stem>.json with
// <stem>.safetensors, or nil if the folder has none.
func (f *Fixture) Beside(t testing.TB, stem string) *Fixture {
	t.Helper()
	other, err := read(filepath.Join(f.Folder, stem+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	other.Name = f.Name + "/" + stem
	other.open(t)
	return other
}

// Files returns the .safetensors of a name that are no fixture's: in the project's
// own testdata, where there has to be one, and in the folders named in the
// environment.
func Files(t testing.TB, stem string) []*Fixture {
	t.Helper()
	own, err := ownFolder()
	require.NoError(t, err)
	var found []*Fixture
	for i, root := range append([]string{own}, filepath.SplitList(os.Getenv(Env))...) {
		files, err := find(root, func(name string) bool { return name == stem+".safetensors" })
		if i > 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		require.NoError(t, err)
		for _, file := range files {
			f := &Fixture{Folder: filepath.Dir(file), stem: stem}
			f.Name = name(root, f)
			f.open(t)
			found = append(found, f)
		}
	}
	return found
}

// Variant is what follows "golden" in the names of the fixture's files:
// empty, or such as "_bf16".
func (f *Fixture) Variant() string { return f.stem[min(len(goldenStem), len(f.stem)):] }

// Has says whether the fixture has a tensor.
func (f *Fixture) Has(key string) bool {
	_, ok := f.tensors.Info(key)
	return ok
}
