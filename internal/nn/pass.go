package nn

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/lora"
)

// Pass is one run of a network: what every layer needs besides its input. The zero
// value runs the network as its checkpoint has it.
type Pass struct {
	// Delta is the adapter; nil leaves the base model. Layers are found by their
	// names, which are unique within one network alone: a network that is never
	// adapted (a text encoder, an autoencoder, a verifier) gets none.
	Delta *lora.Delta

	// Checkpoint recomputes the activations of each block in the backward pass
	// instead of keeping them.
	Checkpoint bool

	// Recorder collects the outputs of modules for tests; nil collects nothing.
	Recorder *Recorder

	inside bool // a block that is recomputed
}

// Enter marks an input of a block, whose activations are recomputed under Checkpoint. The
// block's own copy of the Pass, which it hands to its layers, then knows of it.
func (f *Pass) Enter(x *Node) *Node {
	if f.Checkpoint {
		f.inside = true
		return x.Checkpoint()
	}
	return x
}

// Leave marks an output of a block that was entered.
func (f *Pass) Leave(x *Node) *Node {
	if f.Checkpoint {
		f.inside = false
		return x.StopCheckpoint()
	}
	return x
}

// weigh computes a layer's output from its weight in the dtype of x. Where that is not
// the weight's own, a copy is made when x is there, and again for the backward pass: else
// the copies of all layers, twice as large as a checkpoint in bfloat16, would lie in memory
// from one pass of the network to the next.
func (f Pass) weigh(v *model.Variable, x *Node, apply func(weight *Node) *Node) *Node {
	weight := v.NodeValue(x)
	if weight.DType() == x.DType() {
		return apply(weight)
	}
	there := Reshape(Slice(x, slices.Repeat([]SliceAxisSpec{AxisElem(0)}, x.Rank())...)) // one number
	y := apply(StopGradient(ConvertDType(SchedulingBarrier(weight.Checkpoint(), there), x.DType())))
	if f.inside {
		return y // all of the block is made again
	}
	return y.StopCheckpoint()
}

// Record records the output of the module called name, and returns it.
func (f Pass) Record(name string, x *Node) *Node {
	if f.Recorder != nil {
		f.Recorder.add(name, x)
	}
	return x
}

// RecordAll records the outputs of a module that returns several: name.0, name.1
// and so on.
func (f Pass) RecordAll(name string, xs ...*Node) {
	if f.Recorder == nil {
		return
	}
	for i, x := range xs {
		f.Record(fmt.Sprint(name, ".", i), x)
	}
}

// Recorder holds the outputs of modules under the names that the modules have in
// the checkpoint, and so in the reference, so that tests can compare them one by
// one. Of a module that runs again the second output is recorded as "name#2", and
// so on. It belongs to one graph.
type Recorder struct {
	outputs map[string]*Node
}

// Output returns what was recorded under a name, or nil.
func (r *Recorder) Output(name string) *Node { return r.outputs[name] }

func (r *Recorder) add(name string, x *Node) {
	if r.outputs == nil {
		r.outputs = map[string]*Node{}
	}
	unique := name
	for n := 2; r.outputs[unique] != nil; n++ {
		unique = fmt.Sprint(name, "#", n)
	}
	r.outputs[unique] = x
}
