package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// shards is a checkpoint of two shards in a folder "m".
func shards(t *testing.T, index string) fstest.MapFS {
	t.Helper()
	file := func(list ...Tensor) *fstest.MapFile {
		var b bytes.Buffer
		require.NoError(t, Write(&b, list, nil))
		return &fstest.MapFile{Data: b.Bytes()}
	}
	return fstest.MapFS{
		"m/1.safetensors": file(FromFloat32s("a", []float32{1}, 1), FromFloat32s("b", []float32{2}, 1)),
		"m/2.safetensors": file(FromFloat32s("c", []float32{3}, 1)),
		"m/3.safetensors": file(FromFloat32s("a", []float32{4}, 1)),
		"m/index.json":    {Data: []byte(index)},
		"secret":          file(FromFloat32s("s", []float32{5}, 1)),
	}
}

const goodIndex = `{"metadata":{"total_size":12},"weight_map":{"a":"1.safetensors","c":"2.safetensors"}}`

func TestOpenIndex(t *testing.T) {
	s, err := OpenIndex(shards(t, goodIndex), "m/index.json")
	require.NoError(t, err)
	defer s.Close()
	var names []string
	for _, info := range s.Tensors() {
		names = append(names, info.Name)
	}
	require.Equal(t, []string{"a", "b", "c"}, names, "b, which the index forgot, is there")
	for name, want := range map[string]float32{"a": 1, "b": 2, "c": 3} {
		info, ok := s.Info(name)
		require.True(t, ok)
		require.Equal(t, []int{1}, info.Shape)
		got, err := s.Float32s(name)
		require.NoError(t, err)
		require.Equal(t, []float32{want}, got)
		b, err := s.Bytes(name)
		require.NoError(t, err)
		require.Len(t, b, 4)
		tensor, err := s.Tensor(name)
		require.NoError(t, err)
		require.Equal(t, []float32{want}, tensor.Value())
		s.Drop(name)
	}
	_, ok := s.Info("absent")
	require.False(t, ok)
	_, err = s.Tensor("absent")
	require.ErrorIs(t, err, ErrNoTensor)
	require.ErrorContains(t, err, "m/index.json")
	require.NoError(t, s.Close())
	_, err = s.Bytes("a")
	require.ErrorIs(t, err, fs.ErrClosed)
}

func TestOpenIndexFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, shards(t, goodIndex)))
	s, err := OpenIndexFile(filepath.Join(dir, "m", "index.json"))
	require.NoError(t, err)
	require.Len(t, s.Tensors(), 3)
	require.NoError(t, s.Close())
}

func TestOpenIndexRefuses(t *testing.T) {
	for name, test := range map[string]struct{ index, want string }{
		"not JSON":       {`x`, "JSON"},
		"no map":         {`{}`, "without a weight_map"},
		"after":          {goodIndex + `x`, "goes on"},
		"empty map":      {`{"weight_map":{}}`, "without a weight_map"},
		"number":         {`{"weight_map":{"a":1}}`, `tensor "a"`},
		"duplicate":      {`{"weight_map":{"a":"1.safetensors","a":"3.safetensors"}}`, "twice"},
		"duplicate map":  {`{"weight_map":{},"weight_map":{}}`, "twice"},
		"parent":         {`{"weight_map":{"s":"../secret"}}`, "not the name of a shard"},
		"folder":         {`{"weight_map":{"s":"m/1.safetensors"}}`, "not the name of a shard"},
		"windows folder": {`{"weight_map":{"s":"..\\secret"}}`, "not the name of a shard"},
		"absolute":       {`{"weight_map":{"s":"/secret"}}`, "not the name of a shard"},
		"drive":          {`{"weight_map":{"s":"C:secret"}}`, "not the name of a shard"},
		"empty shard":    {`{"weight_map":{"s":""}}`, "not the name of a shard"},
		"self":           {`{"weight_map":{"s":"."}}`, "not the name of a shard"},
		"absent shard":   {`{"weight_map":{"s":"9.safetensors"}}`, "9.safetensors"},
		"absent tensor":  {`{"weight_map":{"s":"1.safetensors"}}`, `tensor "s"`},
		"wrong shard":    {`{"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`, `tensor "b"`},
		"in two shards":  {`{"weight_map":{"a":"1.safetensors","c":"3.safetensors"}}`, "is in m/1.safetensors too"},
		"broken shard":   {`{"weight_map":{"a":"index.json"}}`, "m/index.json"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := OpenIndex(shards(t, test.index), "m/index.json")
			require.ErrorContains(t, err, test.want)
			require.ErrorContains(t, err, "safetensors: m/")
			require.Nil(t, s)
		})
	}
	_, err := OpenIndex(fstest.MapFS{}, "index.json")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(goodIndex))
	f.Add([]byte(`{"weight_map":{"s":"../secret"}}`))
	f.Add([]byte(`{"weight_map":{"a":"1.safetensors","a":"1.safetensors"}}`))
	f.Add([]byte(`{"weight_map":[`))
	f.Fuzz(func(t *testing.T, index []byte) {
		weights, err := readIndex(fstest.MapFS{"i": {Data: index}}, "i")
		if err != nil {
			require.True(t, errors.Is(err, ErrFormat), err)
			return
		}
		require.True(t, json.Valid(index))
		for _, shard := range weights {
			require.True(t, filepath.IsLocal(shard), shard)
			require.Equal(t, filepath.Base(shard), shard)
		}
	})
}
