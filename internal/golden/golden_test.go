package golden

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

const overlayJSON = `{"cases": {"same": {"overlay_png": "same.png"}}}`

// write makes a fixture with one tensor.
func write(t *testing.T, folder, json string) {
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "golden.json"), []byte(json), 0o600))
	require.NoError(t, safetensors.WriteFile(filepath.Join(folder, "golden.safetensors"),
		[]safetensors.Tensor{safetensors.FromFloat32s("same.image", []float32{1, -4}, 2)}, nil))
}

// TestGoldenFolders fails for fixtures that nobody would compare.
func TestGoldenFolders(t *testing.T) {
	for _, f := range Fixtures(t, Overlay) {
		t.Run(f.Name, func(t *testing.T) { assert.NotEmpty(t, f.Keys()) })
	}
}

func TestFixturesOfEnvironment(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write(t, filepath.Join(first, "a", "mine"), overlayJSON)
	write(t, filepath.Join(first, "b"), `{"spec": {"family": "sana"}}`)
	write(t, second, overlayJSON)
	t.Setenv(Env, first+string(os.PathListSeparator)+second)
	names := map[string]*Fixture{}
	for _, f := range Fixtures(t, Overlay) {
		names[f.Name] = f
	}
	require.Len(t, names, 3)
	require.Contains(t, names, "generator/overlay")
	require.Contains(t, names, filepath.Base(second))
	f := names["a/mine"]
	values, shape := f.Floats(t, "same.image")
	assert.Equal(t, []float32{1, -4}, values)
	assert.Equal(t, []int{2}, shape)
	f.Compare(t, "same.image", []float32{1, -4.00001}, 1e-5)
	assert.FileExists(t, f.Path("golden.json"))
	var about struct{ Cases map[string]any }
	f.Decode(t, &about)
	assert.Contains(t, about.Cases, "same")
}

func TestKindOf(t *testing.T) {
	for data, want := range map[string]Kind{
		overlayJSON:                                               Overlay,
		`{"spec": {"family": "flux"}}`:                            Generator,
		`{"generator": "../flux", "spec": {}}`:                    EndToEnd,
		`{"name": "llava", "model": "model", "cases": {"a": {}}}`: Verifier,
	} {
		kind, err := kindOf([]byte(data))
		require.NoError(t, err)
		assert.Equal(t, want, kind)
	}
	for _, data := range []string{"", "{}", `{"cases": {"a": {}}}`, "[]"} {
		_, err := kindOf([]byte(data))
		assert.Error(t, err, data)
	}
}

func TestFindNothing(t *testing.T) {
	_, err := find(t.TempDir(), isGolden)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = find(filepath.Join(t.TempDir(), "missing"), isGolden)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestClose(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name      string
		got, want []float32
		close     bool
	}{
		{"equal", []float32{1, 2}, []float32{1, 2}, true},
		{"within the largest's tolerance", []float32{0.5, 100}, []float32{0, 100}, true},
		{"beyond", []float32{1.5, 100}, []float32{0, 100}, false},
		{"zeros", []float32{0}, []float32{0}, true},
		{"not zero", []float32{1e-9}, []float32{0}, false},
		{"shorter", []float32{1}, []float32{1, 2}, false},
		{"not a number", []float32{1, nan, 2}, []float32{1, 2, 2}, false},
		{"wants no number", []float32{1, 2}, []float32{1, nan}, false},
		{"infinite", []float32{1, float32(math.Inf(1))}, []float32{1, 2}, false},
	} {
		err := Close(c.got, c.want, 0.01)
		assert.Equal(t, c.close, err == nil, "%s: %v", c.name, err)
	}
}

func TestGroups(t *testing.T) {
	assert.Equal(t, map[string][]string{"a": {"a.b", "a.c.d"}, "e": {"e"}}, Groups([]string{"a.b", "a.c.d", "e"}))
}

// TestVariants finds several fixtures of one folder, those beside them, and files
// of no fixture.
func TestVariants(t *testing.T) {
	root := t.TempDir()
	write(t, root, overlayJSON)
	for _, stem := range []string{"golden_half", "official"} {
		require.NoError(t, os.WriteFile(filepath.Join(root, stem+".json"), []byte(overlayJSON), 0o600))
		require.NoError(t, os.Link(filepath.Join(root, "golden.safetensors"), filepath.Join(root, stem+".safetensors")))
	}
	require.NoError(t, os.Link(filepath.Join(root, "golden.safetensors"), filepath.Join(root, "resize.safetensors")))
	t.Setenv(Env, root)
	variants := map[string]*Fixture{}
	for _, f := range Fixtures(t, Overlay) {
		variants[f.Variant()] = f
	}
	require.Contains(t, variants, "_half")
	assert.Equal(t, filepath.Base(root)+"_half", variants["_half"].Name)
	official := variants["_half"].Beside(t, "official")
	require.NotNil(t, official)
	assert.True(t, official.Has("same.image"))
	assert.False(t, official.Has("other.image"))
	assert.Nil(t, official.Beside(t, "missing"))
	files := Files(t, "resize")
	require.NotEmpty(t, files)
	assert.Equal(t, root, files[len(files)-1].Folder)
}
