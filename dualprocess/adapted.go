package dualprocess

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

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

// paramCount is the length of a.Params().
func paramCount(a *lora.Adapter) int { return 2 * len(a.Layers()) }

// base is the same at weight 0: the base model, exactly.
func (a *adapted) base() *adapted { return &adapted{a.params, 0} }
