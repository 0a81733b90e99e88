package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"
)

// raw builds a file from the text of its header and its data section.
func raw(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func parse(b []byte) (*File, error) { return New("test", bytes.NewReader(b), int64(len(b))) }

// sample has every supported type, a scalar, an empty tensor and names that
// need escaping.
func sample() ([]Tensor, map[string]string) {
	return []Tensor{
		{Name: "f64", DType: F64, Shape: []int{1}, Data: []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}},
		FromFloat32s("f32", []float32{1, -2, 0.5, 3, 4, 5}, 2, 3),
		{Name: "f16", DType: F16, Shape: []int{2}, Data: []byte{0, 0x3c, 0, 0xc0}},
		{Name: "bf16", DType: BF16, Shape: []int{2}, Data: []byte{0x80, 0x3f, 0, 0xc0}},
		{Name: "i64", DType: I64, Data: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
		{Name: "i32", DType: I32, Shape: []int{1}, Data: []byte{1, 0, 0, 0}},
		{Name: "i16", DType: I16, Shape: []int{1}, Data: []byte{1, 0}},
		{Name: "i8", DType: I8, Shape: []int{1}, Data: []byte{0xff}},
		{Name: "u8", DType: U8, Shape: []int{3}, Data: []byte{1, 2, 3}},
		{Name: "bool <&> \"é\"\n", DType: Bool, Shape: []int{2}, Data: []byte{1, 0}},
		{Name: "empty", DType: F32, Shape: []int{0, 5}},
	}, map[string]string{"format": "pt", "a": "<\"\x00é>"}
}

func TestRoundTrip(t *testing.T) {
	want, metadata := sample()
	path := filepath.Join(t.TempDir(), "all.safetensors")
	require.NoError(t, WriteFile(path, want, metadata))
	mapped, err := OpenFile(path)
	require.NoError(t, err)
	defer mapped.Close()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Zero(t, (mapped.start)%8, "data section is aligned")
	embedded, err := Open(fstest.MapFS{"x/all": {Data: content}}, "x/all")
	require.NoError(t, err)
	if runtime.GOOS == "linux" {
		require.NotNil(t, mapped.mapped)
	}
	require.Nil(t, embedded.mapped)
	for _, f := range []*File{mapped, embedded} {
		require.Len(t, f.Tensors(), len(want))
		require.Equal(t, metadata, f.Metadata())
		for _, w := range want {
			info, ok := f.Info(w.Name)
			require.True(t, ok, w.Name)
			require.Equal(t, w.DType, info.DType)
			require.Equal(t, append([]int{}, w.Shape...), info.Shape)
			require.Zero(t, info.Begin%int64(w.DType.Size()), "aligned to its elements")
			b, err := f.Bytes(w.Name)
			require.NoError(t, err)
			require.Equal(t, append([]byte{}, w.Data...), b)
			f.Drop(w.Name)
			tensor, err := f.Tensor(w.Name)
			require.NoError(t, err)
			require.Equal(t, w.DType.GoMLX(), tensor.DType())
			back, err := FromTensor(w.Name, tensor)
			require.NoError(t, err)
			require.Equal(t, w.Data, back.Data)
		}
	}
	require.NoError(t, mapped.Close())
	require.NoError(t, mapped.Close())
	_, err = mapped.Bytes("f32")
	require.ErrorIs(t, err, fs.ErrClosed)
}

func TestValues(t *testing.T) {
	want, _ := sample()
	var b bytes.Buffer
	require.NoError(t, Write(&b, want, nil))
	f, err := parse(b.Bytes())
	require.NoError(t, err)
	require.Nil(t, f.Metadata())
	for name, values := range map[string][]float32{
		"f64": {1.5}, "f32": {1, -2, 0.5, 3, 4, 5}, "f16": {1, -2}, "bf16": {1, -2}, "empty": {},
	} {
		got, err := f.Float32s(name)
		require.NoError(t, err)
		require.Equal(t, values, got, name)
	}
	_, err = f.Float32s("i64")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, `tensor "i64"`)
	_, err = f.Bytes("absent")
	require.ErrorIs(t, err, ErrNoTensor)
	i64, err := f.Tensor("i64")
	require.NoError(t, err)
	require.Equal(t, int64(7), tensors.ToScalar[int64](i64))
}

func TestWriteIsDeterministic(t *testing.T) {
	list, metadata := sample()
	var a, b bytes.Buffer
	require.NoError(t, Write(&a, list, metadata))
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	require.NoError(t, Write(&b, list, metadata))
	require.Equal(t, a.Bytes(), b.Bytes())
	require.Zero(t, binary.LittleEndian.Uint64(a.Bytes())%8)
}

func TestWriteRefuses(t *testing.T) {
	ok := FromFloat32s("a", []float32{1, 2}, 2)
	for name, list := range map[string][]Tensor{
		"twice":          {ok, ok},
		"empty name":     {FromFloat32s("", nil, 0)},
		"metadata name":  {FromFloat32s(metadataKey, nil, 0)},
		"bad UTF-8":      {FromFloat32s("\xff", nil, 0)},
		"wrong length":   {FromFloat32s("a", []float32{1}, 2)},
		"negative axis":  {FromFloat32s("a", nil, -1)},
		"overflow":       {FromFloat32s("a", nil, 1<<31, 1<<31, 1<<31)},
		"unknown type":   {{Name: "a", DType: "X", Shape: []int{0}}},
		"too many axes":  {{Name: "a", DType: U8, Shape: make([]int, maxRank+1)}},
		"no data at all": {{Name: "a", DType: U8}},
	} {
		var b bytes.Buffer
		require.ErrorIs(t, Write(&b, list, nil), ErrFormat, name)
		require.Zero(t, b.Len(), name)
	}
	require.ErrorIs(t, Write(&bytes.Buffer{}, nil, map[string]string{"a": "\xff"}), ErrFormat)
	_, err := FromTensor("c", tensors.FromScalar(complex64(1)))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.Equal(t, DType(""), fromGoMLX(dtypes.Uint64))
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	require.NoError(t, WriteFile(path, []Tensor{FromFloat32s("a", []float32{1}, 1)}, nil))
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Error(t, WriteFile(path, []Tensor{FromFloat32s("", nil, 0)}, nil))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "a failed write leaves the old file")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Error(t, WriteFile(filepath.Join(dir, "absent", "a"), nil, nil))
}

func TestRefuses(t *testing.T) {
	one := `"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":           {nil, "too short"},
		"seven bytes":       {make([]byte, 7), "too short"},
		"no header":         {make([]byte, 8), "does not start"},
		"huge header":       {bytes.Repeat([]byte{0xff}, 16), "longer than the limit"},
		"header over end":   {raw(`{}`, nil)[:9], "does not fit"},
		"leading space":     {raw(` {}`, nil), "does not start"},
		"array":             {raw(`[]`, nil), "does not start"},
		"not JSON":          {raw(`{a}`, nil), "JSON"},
		"cut JSON":          {raw(`{"a":`, nil), "JSON ends early"},
		"cut object":        {raw(`{`, nil), "JSON ends early"},
		"after JSON":        {raw(`{} x`, nil), "goes on"},
		"not UTF-8":         {raw("{\"\xff\":1}", nil), "UTF-8"},
		"duplicate":         {raw(`{`+one+`,`+one+`}`, []byte{1}), `key "a" appears twice`},
		"duplicate field":   {raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}), "twice"},
		"duplicate escaped": {raw(`{`+one+`,"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, []byte{1}), "twice"},
		"empty name":        {raw(`{"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}`, nil), "empty name"},
		"not an object":     {raw(`{"a":1}`, nil), `tensor "a"`},
		"missing field":     {raw(`{"a":{"dtype":"U8","shape":[0]}}`, nil), "wants a dtype"},
		"unknown field":     {raw(`{"a":{"x":1}}`, nil), "unknown field"},
		"unknown type":      {raw(`{"a":{"dtype":"Q3","shape":[0],"data_offsets":[0,0]}}`, nil), "unknown dtype"},
		"no type":           {raw(`{"a":{"dtype":"","shape":[0],"data_offsets":[0,0]}}`, nil), "unknown dtype"},
		"one offset":        {raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}`, nil), "wants a dtype"},
		"three offsets":     {raw(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}`, nil), "more than 2"},
		"fraction":          {raw(`{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, []byte{1}), "whole number"},
		"exponent":          {raw(`{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, []byte{1}), "whole number"},
		"null axis":         {raw(`{"a":{"dtype":"U8","shape":[null],"data_offsets":[0,1]}}`, []byte{1}), "whole number"},
		"nested":            {raw(`{"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}}`, []byte{1}), "whole number"},
		"above int64":       {raw(`{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]}}`, []byte{1}), "whole number"},
		"negative axis":     {raw(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, []byte{1}), "negative axis"},
		"two negatives":     {raw(`{"a":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}}`, []byte{1}), "negative axis"},
		"overflow":          {raw(`{"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil), "larger than any file"},
		"overflow times 0":  {raw(`{"a":{"dtype":"F64","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}}`, nil), "larger"},
		"too many axes":     {raw(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("1,", maxRank)+`1],"data_offsets":[0,1]}}`, []byte{1}), "more than 32"},
		"negative offset":   {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`, nil), "do not lie"},
		"reversed offsets":  {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, []byte{1}), "do not lie"},
		"offset over end":   {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, []byte{1}), "do not lie"},
		"wrong span":        {raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}}`, make([]byte, 5)), "span 5 bytes"},
		"hole":              {raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, []byte{1, 2}), "hole"},
		"overlap":           {raw(`{`+one+`,"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, []byte{1, 2}), "overlap"},
		"trailing bytes":    {raw(`{`+one+`}`, []byte{1, 2}), "data section of 2 bytes"},
		"no tensors":        {raw(`{}`, []byte{1}), "data section of 1 bytes"},
		"metadata number":   {raw(`{"__metadata__":{"a":1}}`, nil), "__metadata__"},
		"metadata list":     {raw(`{"__metadata__":[]}`, nil), "__metadata__"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(test.file)
			require.ErrorIs(t, err, ErrFormat)
			require.ErrorContains(t, err, "safetensors: test: ")
			require.ErrorContains(t, err, test.want)
		})
	}
	f, err := parse(raw(`{"a":{"dtype":"F32","shape":[0,1000000],"data_offsets":[0,0]}}`, nil))
	require.NoError(t, err, "an empty tensor may have long axes")
	require.Zero(t, f.Tensors()[0].Elements())
	_, err = parse(raw(`{"a":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]}}`, nil))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, `tensor "a": dtype F8_E4M3`)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"absent", "."} {
		_, err := Open(os.DirFS(dir), name)
		require.Error(t, err)
	}
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err := OpenFile(empty)
	require.ErrorIs(t, err, ErrFormat)
	f, err := parse(raw(`{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, []byte{2}))
	require.NoError(t, err)
	_, err = f.Tensor("a")
	require.ErrorIs(t, err, ErrFormat)
}
