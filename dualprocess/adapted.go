package dualprocess

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// adapted is an adapter at work: its numbers as they are now, on the device, and
// its weight.
type adapted struct {
	params []*tensors.Tensor
	weight float64
}

// inputs lists them for a program; nil, as without an adapter, is none.
func (a *adapted) inputs() []any {
	if a == nil {
		return nil
	}
	return []any{a.params, float32(a.weight)}
}

// takeDelta reads the inputs of an adapter of the same layers in a graph. Without
// one there are none, and the delta is nil: the base model.
func takeDelta(in *cursor, a *lora.Adapter) (delta *lora.Delta, params []*Node) {
	if a == nil {
		return nil, nil
	}
	params = in.take(paramCount(a))
	return a.Delta(params, in.one()), params
}

// loaded is an adapter on the device; nil is the base model.
type loaded struct {
	*lora.Adapter
	params []*tensors.Tensor
}

func load(a *lora.Adapter) *loaded {
	if a == nil {
		return nil
	}
	return &loaded{a, a.Params()}
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
	return &adapted{l.params, weight}
}

func (l *loaded) release() {
	if l != nil {
		graphs.Release(l.params...)
	}
}

// mixed are adapters of the same Shape, one for each picture of a batch.
type mixed struct {
	params [][]*tensors.Tensor
	scales [][]float32 // [pictures, layers]
}

// inputs lists them for a program.
func (m *mixed) inputs() []any {
	var all []any
	for _, params := range m.params {
		all = append(all, params)
	}
	return append(all, m.scales)
}

// takeMixed reads the inputs of adapters of a's Shape in a graph.
func takeMixed(in *cursor, a *lora.Adapter, pictures int) *lora.Delta {
	params := make([][]*Node, pictures)
	for k := range params {
		params[k] = in.take(paramCount(a))
	}
	return a.BatchDelta(params, in.one())
}

// paramCount is the length of a.Params().
func paramCount(a *lora.Adapter) int { return 2 * len(a.Layers()) }

// base is the same at weight 0: the base model, exactly.
func (a *adapted) base() *adapted { return &adapted{a.params, 0} }
