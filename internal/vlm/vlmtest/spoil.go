package vlmtest

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// Files returns the files of the first checkpoint among the fixtures of a model,
// in memory, for tests that change one of them.
func Files(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var a about
		f.Decode(t, &a)
		if a.Name == name && f.Variant() == "" {
			return f.Model(t, a.Model)
		}
	}
	require.Fail(t, "no fixture", name)
	return nil
}

// Absent is a value for Set: the field is left out.
type Absent struct{}

// Set changes one field of a JSON file. path are the names of the objects down to
// the field, with dots between; those that are not there are made.
func Set(t testing.TB, files fstest.MapFS, file, path string, value any) {
	t.Helper()
	root := map[string]any{}
	if f, ok := files[file]; ok {
		require.NoError(t, json.Unmarshal(f.Data, &root))
	}
	at, names := root, strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		if _, ok := at[name].(map[string]any); !ok {
			at[name] = map[string]any{}
		}
		at = at[name].(map[string]any)
	}
	last := names[len(names)-1]
	if at[last] = value; value == (Absent{}) {
		delete(at, last)
	}
	data, err := json.Marshal(root)
	require.NoError(t, err)
	files[file] = &fstest.MapFile{Data: data}
}
