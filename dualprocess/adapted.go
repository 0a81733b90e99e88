package dualprocess

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// adapted is an adapter at work: its numbers as they are now, on the device, and
// its weight. The numbers are one vector, not a tensor for each of hundreds of matrices:
// that is one input, one update and one output, and minutes less of compilation.
type adapted struct {
	vector *tensors.Tensor
	weight float64
}

// inputs lists them for a program; nil, as without an adapter, is none.
func (a *adapted) inputs() []any {
	if a == nil {
		return nil
	}
	return []any{a.vector, float32(a.weight)}
}

// takeDelta reads the inputs of an adapter of the same layers in a graph. Without
// one there are none, and the delta is nil: the base model.
func takeDelta(in *cursor, a *lora.Adapter) (delta *lora.Delta, p params) {
	if a == nil {
		return nil, params{}
	}
	p.vector = in.one()
	p.matrices = a.Split(p.vector)
	return a.Delta(p.matrices, in.one()), p
}

// params are an adapter's numbers in a graph, together and apart.
type params struct {
	vector   *Node   // [Size]
	matrices []*Node // parts of it
}

// gradient is that of a scalar by the vector. It is put together from those by the
// matrices: that by the vector itself would be a sum of as many vectors, each of
// zeros but for one matrix.
func (p params) gradient(of *Node) *Node {
	parts := Gradient(of, p.matrices...)
	for k, x := range parts {
		parts[k] = Reshape(x, -1)
	}
	return Concatenate(parts, 0)
}

// loaded is an adapter on the device; nil is the base model.
type loaded struct {
	*lora.Adapter
	vector *tensors.Tensor
}

func load(a *lora.Adapter) *loaded {
	if a == nil {
		return nil
	}
	return &loaded{a, a.Vector()}
}

// get is the adapter; nil is the base model.
func (l *loaded) get() *lora.Adapter {
	if l == nil {
		return nil
	}
	return l.Adapter
}

// at is the adapter at a weight.
func (l *loaded) at(weight float64) *adapted {
	if l == nil {
		return nil
	}
	return &adapted{l.vector, weight}
}

func (l *loaded) release() {
	if l != nil {
		graphs.Release(l.vector)
	}
}

// mixed are adapters of the same Shape, one for each picture of a batch.
type mixed struct {
	vectors []*tensors.Tensor
	scales  [][]float32 // [pictures, layers]
}

// inputs lists them for a program.
func (m *mixed) inputs() []any {
	return []any{m.vectors, m.scales}
}

// takeMixed reads the inputs of adapters of a's Shape in a graph.
func takeMixed(in *cursor, a *lora.Adapter, pictures int) *lora.Delta {
	params := make([][]*Node, pictures)
	for k := range params {
		params[k] = a.Split(in.one())
	}
	return a.BatchDelta(params, in.one())
}

// base is the same at weight 0: the base model, exactly.
func (a *adapted) base() *adapted { return &adapted{a.vector, 0} }
