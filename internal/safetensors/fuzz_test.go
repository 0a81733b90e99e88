package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRead feeds any bytes to the reader. What it accepts must be readable in
// every way and survive being written again.
func FuzzRead(f *testing.F) {
	list, metadata := sample()
	var b bytes.Buffer
	if err := Write(&b, list, metadata); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()-1])
	f.Add(raw(`{}`, nil))
	f.Add(raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, make([]byte, 3)))
	f.Add(raw(`{"a":{"dtype":"F32","shape":[0,4611686018427387904],"data_offsets":[0,0]}}`, nil))
	f.Add(bytes.Repeat([]byte{0xff}, 9))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parse(content)
		if err != nil {
			require.True(t, errors.Is(err, ErrFormat) || errors.Is(err, errors.ErrUnsupported), err)
			return
		}
		var again []Tensor
		total := int64(8) + int64(binary.LittleEndian.Uint64(content))
		for _, info := range file.Tensors() {
			data, err := file.Bytes(info.Name)
			require.NoError(t, err)
			require.Len(t, data, info.Elements()*info.DType.Size())
			total += int64(len(data))
			if _, err := file.Float32s(info.Name); err != nil {
				require.ErrorIs(t, err, errors.ErrUnsupported)
			}
			if _, err := file.Tensor(info.Name); err != nil {
				require.ErrorIs(t, err, ErrFormat)
			}
			again = append(again, Tensor{Name: info.Name, DType: info.DType, Shape: info.Shape, Data: data})
		}
		require.Equal(t, int64(len(content)), total, "every byte of the file is accounted for")
		var b bytes.Buffer
		require.NoError(t, Write(&b, again, file.Metadata()))
		second, err := parse(b.Bytes())
		require.NoError(t, err)
		require.Len(t, second.Tensors(), len(again))
	})
}

// TestHostileFilesAllocateLittle gives files of a few bytes that claim much.
func TestHostileFilesAllocateLittle(t *testing.T) {
	claims := [][]byte{
		append(binary.LittleEndian.AppendUint64(nil, maxHeader), '{'),
		raw(`{"a":{"dtype":"F64","shape":[1000000000],"data_offsets":[0,8000000000]}}`, nil),
		raw(`{"a":{"dtype":"F64","shape":[0,1000000000000],"data_offsets":[0,0]}}`, nil),
		raw(`{"a":{"dtype":"U8","shape":[`+strings.Repeat("0,", 1<<16)+`0],"data_offsets":[0,0]}}`, nil),
	}
	for _, content := range claims {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = parse(content)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}
