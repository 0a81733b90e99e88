package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// Tensor is one tensor to be written.
type Tensor struct {
	Name  string
	DType DType
	// Shape holds the axes' lengths, none for a scalar.
	Shape []int
	// Data holds the elements, row-major and little-endian.
	Data []byte
}

// Write writes the tensors and the metadata, which may be nil, to w. Equal
// arguments give equal bytes whatever their order: as in the reference
// implementation wide types come first, which keeps each tensor aligned to its
// elements, and names of one width are sorted. What [Open] would refuse is
// refused before the first byte.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType.Size(), a.DType.Size()), strings.Compare(a.Name, b.Name))
	})
	head, err := makeHeader(tensors, metadata)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("safetensors: writing header: %w", err)
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("safetensors: writing %w", inTensor(t.Name, err))
		}
	}
	return nil
}

// WriteFile writes a file that either is complete or does not appear; it replaces a
// file of that name.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	return files.Write(path, func(w io.Writer) error { return Write(w, tensors, metadata) })
}

// makeHeader returns the length and the padded JSON for tensors in the order
// in which they will be written.
func makeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		if err := putMetadata(b, metadata); err != nil {
			return nil, err
		}
	}
	seen := map[string]struct{}{}
	var offset int64
	for i, t := range tensors {
		if _, ok := seen[t.Name]; ok {
			return nil, inTensor(t.Name, invalid("appears twice"))
		}
		seen[t.Name] = struct{}{}
		if err := t.check(); err != nil {
			return nil, inTensor(t.Name, err)
		}
		if i > 0 || len(metadata) > 0 {
			b.WriteByte(',')
		}
		end := offset + int64(len(t.Data))
		putTensor(b, t, offset, end)
		offset = end
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	head := b.Bytes()
	if len(head)-8 > maxHeader {
		return nil, invalid("header of %d bytes is longer than the limit of %d", len(head)-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(head, uint64(len(head)-8))
	return head, nil
}

// check applies the reader's rules to a tensor to be written.
func (t Tensor) check() error {
	if t.Name == "" || t.Name == metadataKey || !utf8.ValidString(t.Name) {
		return invalid("not a name for a tensor")
	}
	if err := t.DType.check(); err != nil {
		return err
	}
	if len(t.Shape) > maxRank {
		return invalid("%d axes are more than the limit of %d", len(t.Shape), maxRank)
	}
	want, err := byteLength(t.DType, t.Shape, math.MaxInt64)
	if err != nil {
		return err
	}
	if int64(len(t.Data)) != want {
		return invalid("has %d bytes, %s %v takes %d", len(t.Data), t.DType, t.Shape, want)
	}
	return nil
}

func putMetadata(b *bytes.Buffer, metadata map[string]string) error {
	putString(b, metadataKey)
	b.WriteString(":{")
	for i, key := range slices.Sorted(maps.Keys(metadata)) {
		if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
			return invalid("metadata %q is not UTF-8", key)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		putString(b, key)
		b.WriteByte(':')
		putString(b, metadata[key])
	}
	b.WriteByte('}')
	return nil
}

func putTensor(b *bytes.Buffer, t Tensor, begin, end int64) {
	putString(b, t.Name)
	shape, _ := json.Marshal(append([]int{}, t.Shape...)) // a nil slice would become null
	fmt.Fprintf(b, `:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, t.DType, shape, begin, end)
}

// putString writes a JSON string; unlike json.Marshal it leaves <, > and & as
// they are, and unlike json.Encoder it ends no line.
func putString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into memory cannot fail
	b.Truncate(b.Len() - 1)
}
