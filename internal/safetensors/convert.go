package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Float32s returns a floating-point tensor's elements, row-major, in a slice of
// the caller's own. F64 is rounded. Other types give an error that wraps
// [errors.ErrUnsupported].
func (f *File) Float32s(name string) ([]float32, error) {
	info, data, err := f.tensor(name)
	if err != nil {
		return nil, err
	}
	values, err := float32s(info, data)
	if err != nil {
		return nil, f.about(name, err)
	}
	return values, nil
}

// Tensor returns a tensor of the same type and shape in host memory, a copy of
// the file's bytes.
func (f *File) Tensor(name string) (*tensors.Tensor, error) { return f.TensorOn(nil, name) }

// TensorOn is Tensor in the memory of a backend's first device, where the bytes go
// without another copy on the way. A nil backend is the host.
func (f *File) TensorOn(backend compute.Backend, name string) (*tensors.Tensor, error) {
	info, data, err := f.tensor(name)
	if err != nil {
		return nil, err
	}
	t, err := toTensor(backend, info, data)
	if err != nil {
		return nil, f.about(name, err)
	}
	return t, nil
}

func float32s(info Info, data []byte) ([]float32, error) {
	out := make([]float32, info.Elements())
	le := binary.LittleEndian
	switch info.DType {
	case F64:
		for i := range out {
			out[i] = float32(math.Float64frombits(le.Uint64(data[8*i:])))
		}
	case F32:
		for i := range out {
			out[i] = math.Float32frombits(le.Uint32(data[4*i:]))
		}
	case F16:
		for i := range out {
			out[i] = float16.FromBits(le.Uint16(data[2*i:])).Float32()
		}
	case BF16: // the upper half of a float32
		for i := range out {
			out[i] = math.Float32frombits(uint32(le.Uint16(data[2*i:])) << 16)
		}
	default:
		return nil, fmt.Errorf("%s as float32: %w", info.DType, errors.ErrUnsupported)
	}
	return out, nil
}

func toTensor(backend compute.Backend, info Info, data []byte) (*tensors.Tensor, error) {
	if err := nativeOrder(); err != nil {
		return nil, err
	}
	if info.DType == Bool && slices.ContainsFunc(data, func(b byte) bool { return b > 1 }) {
		// A Go bool of any other byte is neither true nor false.
		return nil, invalid("a BOOL is neither 0 nor 1")
	}
	shape := shapes.Make(info.DType.GoMLX(), info.Shape...)
	if uploads(backend, len(data)) {
		return upload(backend, shape, data)
	}
	return tensors.FromRaw(backend, 0, shape, data)
}

// FromTensor copies a GoMLX tensor's values for writing under the given name.
func FromTensor(name string, t *tensors.Tensor) (Tensor, error) {
	out := Tensor{Name: name, DType: fromGoMLX(t.DType()), Shape: slices.Clone(t.Shape().Dimensions)}
	if out.DType == "" {
		return Tensor{}, fmt.Errorf("safetensors: %w", inTensor(name, fmt.Errorf("dtype %s: %w", t.DType(), errors.ErrUnsupported)))
	}
	if err := nativeOrder(); err != nil {
		return Tensor{}, fmt.Errorf("safetensors: %w", inTensor(name, err))
	}
	if t.Size() == 0 {
		return out, nil
	}
	if err := t.ConstBytes(func(b []byte) { out.Data = slices.Clone(b) }); err != nil {
		return Tensor{}, fmt.Errorf("safetensors: %w", inTensor(name, err))
	}
	return out, nil
}

// FromFloat32s makes an F32 tensor for writing.
func FromFloat32s(name string, values []float32, shape ...int) Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return Tensor{Name: name, DType: F32, Shape: shape, Data: data}
}

// nativeOrder refuses the few machines whose memory is not in the file's byte
// order, where tensors cannot be copied as they are.
func nativeOrder() error {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return fmt.Errorf("big-endian machine: %w", errors.ErrUnsupported)
	}
	return nil
}
