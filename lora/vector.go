package lora

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Size returns how many numbers the adapter has.
func (a *Adapter) Size() int {
	size := 0
	for _, p := range a.list() {
		size += len(p.a) + len(p.b)
	}
	return size
}

// Vector returns the adapter's numbers as one float32 tensor [Size] in host memory that belongs to the caller: those of
// Params, one after the other. An optimiser's arithmetic on it is one operation for all layers, of which a large generator
// has hundreds, and each operation costs a compiler time.
func (a *Adapter) Vector() *tensors.Tensor {
	all := make([]float32, 0, a.Size())
	for _, p := range a.list() {
		all = append(append(all, p.a...), p.b...)
	}
	return tensors.FromFlatDataAndDimensions(all, len(all))
}

// WithVector returns the adapter with other numbers, in the order of Vector; they are copied. Errors are those of
// WithParams.
func (a *Adapter) WithVector(vector *tensors.Tensor) (*Adapter, error) {
	if a == nil {
		return nil, fmt.Errorf("lora: %w", errNil)
	}
	if want := shapes.Make(dtypes.Float32, a.Size()); vector == nil || !vector.Shape().Equal(want) {
		return nil, fmt.Errorf("lora: %w: the vector given is not %s", ErrMismatch, want)
	}
	all, err := tensors.CopyFlatData[float32](vector)
	if err != nil {
		return nil, fmt.Errorf("lora: %w", err)
	}
	take := func(n int) (taken []float32) {
		taken, all = all[:n:n], all[n:]
		return taken
	}
	out := &Adapter{a.weight, a.prefix, make([]part, len(a.parts)), a.skipped}
	for i, p := range a.parts {
		p.a, p.b = take(len(p.a)), take(len(p.b))
		if err := errors.Join(checkFinite(p.a), checkFinite(p.b)); err != nil {
			return nil, fmt.Errorf("lora: layer %q: %w", p.Name, err)
		}
		out.parts[i] = p
	}
	return out, nil
}

// Split returns the nodes of Params in the graph of a vector, a node of Vector's shape and dtype, which it panics without.
func (a *Adapter) Split(vector *Node) []*Node {
	if want := shapes.Make(dtypes.Float32, a.Size()); !vector.Shape().Equal(want) {
		exceptions.Panicf("lora: the vector is %s, wants %s", vector.Shape(), want)
	}
	var params []*Node
	begin := 0
	for _, p := range a.list() {
		dimsA, dimsB := p.dims()
		for _, dims := range [][]int{dimsA, dimsB} {
			size := shapes.Make(dtypes.Float32, dims...).Size()
			params = append(params, Reshape(Slice(vector, AxisRange(begin, begin+size)), dims...))
			begin += size
		}
	}
	return params
}
