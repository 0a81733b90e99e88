package vlmtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
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

// modelFile is the checkpoint of folders that have it in one piece.
const modelFile = "model.safetensors"

// Rewrite changes the tensors one by one; one whose name becomes empty is left out.
// What comes in several files is joined in one.
func Rewrite(t testing.TB, files fstest.MapFS, change func(x *safetensors.Tensor)) {
	t.Helper()
	var list []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".safetensors") {
			continue
		}
		for _, x := range read(t, files, name) {
			if change(&x); x.Name != "" {
				list = append(list, x)
			}
		}
		delete(files, name)
	}
	delete(files, modelFile+".index.json")
	write(t, files, list)
}

// Append adds tensors, which are made of those that are there.
func Append(t testing.TB, files fstest.MapFS, more func(list []safetensors.Tensor) []safetensors.Tensor) {
	t.Helper()
	list := read(t, files, modelFile)
	write(t, files, append(list, more(list)...))
}

func read(t testing.TB, files fstest.MapFS, name string) (list []safetensors.Tensor) {
	f, err := safetensors.Open(files, name)
	require.NoError(t, err)
	for _, info := range f.Tensors() {
		data, err := f.Bytes(info.Name)
		require.NoError(t, err)
		list = append(list, safetensors.Tensor{Name: info.Name, DType: info.DType, Shape: info.Shape, Data: data})
	}
	require.NoError(t, f.Close())
	return list
}

func write(t testing.TB, files fstest.MapFS, list []safetensors.Tensor) {
	var b bytes.Buffer
	require.NoError(t, safetensors.Write(&b, list, nil))
	files[modelFile] = &fstest.MapFile{Data: b.Bytes()}
}

// Halve rounds the tensors to bfloat16.
func Halve(t testing.TB, files fstest.MapFS) {
	t.Helper()
	Rewrite(t, files, func(x *safetensors.Tensor) {
		require.Equal(t, safetensors.F32, x.DType)
		half := make([]byte, 0, len(x.Data)/2)
		for i := 0; i < len(x.Data); i += 4 {
			v := math.Float32frombits(binary.LittleEndian.Uint32(x.Data[i:]))
			half = binary.LittleEndian.AppendUint16(half, uint16(bfloat16.FromFloat32(v)))
		}
		x.DType, x.Data = safetensors.BF16, half
	})
}
