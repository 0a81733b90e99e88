// Package safetensors reads and writes files of the safetensors format: named
// tensors after a JSON header, nothing executable, no compression.
//
// A file is
//
//	8 bytes   length n of the header, little-endian
//	n bytes   one JSON object, padded with spaces:
//	          name -> {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
//	          "__metadata__" -> {string: string}
//	the rest  the tensors' bytes, row-major, little-endian, without a gap
//
// The reader takes nothing on trust: every number of the header is checked
// against the size of the file before it is used, so a hostile file costs an
// error and never a large allocation. It is as strict as the reference
// implementation (no overlap, no holes, no bytes left over) and stricter where
// that one lets the last of two equal keys win.
package safetensors

import (
	"errors"
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
)

// ErrFormat is wrapped by every error about a file, or about tensors to be
// written, that breaks the rules of the format. Errors of the file system are
// passed on as they are, and a tensor type that the format knows but this
// package does not wraps [errors.ErrUnsupported].
var ErrFormat = errors.New("not valid safetensors")

// ErrNoTensor is wrapped by the error about a name that a file does not have.
var ErrNoTensor = errors.New("no such tensor")

// maxHeader bounds the header's length in bytes, as the reference
// implementation does.
const maxHeader = 100_000_000

// maxRank bounds the number of axes. Far above any model's, it keeps a header
// of "[0,0,0,…" from costing several times its own length.
const maxRank = 32

// metadataKey is the one name in the header that is not a tensor.
const metadataKey = "__metadata__"

// DType is a tensor's element type, spelled as in the file.
type DType string

// The element types that this package reads and writes.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// Size returns the bytes of one element, 0 if the type is not supported.
func (d DType) Size() int {
	switch d {
	case F64, I64:
		return 8
	case F32, I32:
		return 4
	case F16, BF16, I16:
		return 2
	case I8, U8, Bool:
		return 1
	}
	return 0
}

// GoMLX returns the same type in GoMLX's terms, [dtypes.InvalidDType] if it is
// not supported.
func (d DType) GoMLX() dtypes.DType {
	switch d {
	case F64:
		return dtypes.Float64
	case F32:
		return dtypes.Float32
	case F16:
		return dtypes.Float16
	case BF16:
		return dtypes.BFloat16
	case I64:
		return dtypes.Int64
	case I32:
		return dtypes.Int32
	case I16:
		return dtypes.Int16
	case I8:
		return dtypes.Int8
	case U8:
		return dtypes.Uint8
	case Bool:
		return dtypes.Bool
	}
	return dtypes.InvalidDType
}

// fromGoMLX is the inverse of GoMLX; the empty DType stands for no counterpart.
func fromGoMLX(want dtypes.DType) DType {
	for _, d := range []DType{F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool} {
		if d.GoMLX() == want {
			return d
		}
	}
	return ""
}

// check tells a type that other programs write from a made-up one.
func (d DType) check() error {
	if d.Size() > 0 {
		return nil
	}
	switch d {
	case "U16", "U32", "U64", "C64", "F4", "F6_E2M3", "F6_E3M2",
		"F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ":
		return fmt.Errorf("dtype %s: %w", d, errors.ErrUnsupported)
	}
	return invalid("unknown dtype %q", string(d))
}

// Info describes one tensor of a file.
type Info struct {
	Name  string
	DType DType
	// Shape holds the axes' lengths; it is empty for a scalar.
	Shape []int
	// Begin and End are the tensor's bytes, counted from the start of the data
	// section.
	Begin, End int64
}

// Elements returns the number of elements, 1 for a scalar.
func (i Info) Elements() int { return int(i.End-i.Begin) / i.DType.Size() }

// byteLength returns the bytes that a tensor of this type and shape takes, and
// an error where an axis is negative or the product exceeds limit.
func byteLength(d DType, shape []int, limit int64) (int64, error) {
	// An axis of length 0 makes the whole product 0, however large the others
	// are, so the product is taken without it first: a reader that multiplies
	// in another order must not overflow on what is accepted here.
	n, empty := int64(d.Size()), false
	for _, axis := range shape {
		switch {
		case axis < 0:
			return 0, invalid("shape %v has a negative axis", shape)
		case axis == 0:
			empty = true
		case n > math.MaxInt64/int64(axis):
			return 0, invalid("shape %v of %s is larger than any file", shape, d)
		default:
			n *= int64(axis)
		}
	}
	if empty {
		return 0, nil
	}
	if n > limit {
		return 0, invalid("shape %v of %s is larger than the file", shape, d)
	}
	return n, nil
}

// invalid returns an error that wraps ErrFormat.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// inTensor says which tensor an error is about.
func inTensor(name string, err error) error {
	return fmt.Errorf("tensor %q: %w", name, err)
}
