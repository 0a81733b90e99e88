package graphs

import (
	"errors"

	"github.com/gomlx/gomlx/core/tensors"
)

// errFreed is about an input without numbers.
var errFreed = errors.New("an input is nil or was freed")

// spread lists tensors, those in slices one by one, and makes tensors of Go's
// scalars and slices, which are to be released.
func spread(values []any) (flat []any, made []*tensors.Tensor, err error) {
	var add func(values []any) error
	add = func(values []any) error {
		for _, v := range values {
			switch v := v.(type) {
			case []any:
				if err := add(v); err != nil {
					return err
				}
			case []*tensors.Tensor:
				for _, t := range v {
					flat = append(flat, t)
				}
			case *tensors.Tensor:
				flat = append(flat, v)
			default:
				t, err := tensors.FromAnyValue(v)
				if err != nil {
					return err
				}
				flat, made = append(flat, t), append(made, t)
			}
		}
		return nil
	}
	if err := add(values); err != nil {
		return nil, made, err
	}
	for _, t := range flat {
		if t, ok := t.(*tensors.Tensor); !ok || !t.Ok() {
			return nil, made, errFreed
		}
	}
	return flat, made, nil
}

// Release frees tensors on the device and the host at once: the garbage collector
// cannot see how much memory of the device they hold.
func Release(values ...*tensors.Tensor) {
	for _, t := range values {
		if t != nil {
			_ = t.FinalizeAll() // of a tensor already freed: nothing to do
		}
	}
}
