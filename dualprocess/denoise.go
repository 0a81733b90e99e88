package dualprocess

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// adapted is an adapter at work: its numbers now, on the device, and its weight.
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

// base is the same at weight 0: the base model, exactly.
func (a *adapted) base() *adapted {
	return &adapted{a.params, 0}
}

// takeDelta reads the nodes of adapted.inputs in a graph. Without an adapter
// there are none, and the delta is nil: the base model.
func takeDelta(in *cursor, a *lora.Adapter) (delta *lora.Delta, params []*Node) {
	if a == nil {
		return nil, nil
	}
	params = in.take(paramCount(a))
	return a.Delta(params, in.one()), params
}

// paramCount is the length of a.Params().
func paramCount(a *lora.Adapter) int { return 2 * len(a.Layers()) }

// denoiser runs a generator without gradient. One compiled step serves all steps,
// and the latents stay on the device in between.
type denoiser struct {
	generator  Generator
	adapter    *lora.Adapter // its layers; nil = only ever the base model
	conditions *conditions
	step       *program
}

func newDenoiser(rt *backends.Runtime, g Generator, a *lora.Adapter, c *conditions) (*denoiser, error) {
	d := &denoiser{generator: g, adapter: a, conditions: c}
	var err error
	d.step, err = newProgram(rt, "denoising step", d.build)
	return d, err
}

// build is the graph of one step: the state of step i in, that of step i+1 out.
func (d *denoiser) build(in *cursor) []*Node {
	delta, _ := takeDelta(in, d.adapter)
	state, i := in.take(stateSize(d.generator)), in.one()
	prediction := d.generator.Predict(delta, state[0], i, d.conditions.take(in))
	return advance(d.generator, state, prediction, i)
}

// stateSize is the number of tensors that go from one step to the next: the latents
// and, for a Multistepper, the clean estimate of the step before.
func stateSize(g Generator) int {
	if _, ok := g.(Multistepper); ok {
		return 2
	}
	return 1
}

// initial returns the state of step 0.
func initial[T any](g Generator, latents T) []T {
	state := make([]T, stateSize(g))
	for k := range state {
		state[k] = latents // in place of the estimate that there is not
	}
	return state
}

// advance returns the state of step i+1.
func advance(g Generator, state []*Node, prediction, i *Node) []*Node {
	latents := state[0]
	if m, ok := g.(Multistepper); ok {
		return []*Node{m.StepAfter(latents, prediction, state[1], i), g.Clean(latents, prediction, i)}
	}
	return []*Node{g.Step(latents, prediction, i)}
}

// denoise takes the latents of step 0 to step end, for the prompts of the given
// rows. It takes over the latents that it is given.
func (d *denoiser) denoise(ctx context.Context, a *adapted, latents *tensors.Tensor, rows []int32, end int) (*tensors.Tensor, error) {
	state := initial(d.generator, latents)
	for i := range end {
		out, err := d.step.run(ctx, append(append(a.inputs(), state, int32(i)), d.conditions.inputs(rows)...)...)
		release(state...)
		if err != nil {
			return nil, fmt.Errorf("dualprocess: step %d: %w", i, err)
		}
		state = out
	}
	if end > 0 {
		release(state[1:]...)
	}
	return state[0], nil
}

// fromSeeds denoises the noise of the seeds from step 0 to step end.
func (d *denoiser) fromSeeds(ctx context.Context, a *adapted, seeds []int64, rows []int32, end int) (*tensors.Tensor, error) {
	latents, err := latentsOf(d.generator, seeds)
	if err != nil {
		return nil, err
	}
	return d.denoise(ctx, a, latents, rows, end)
}

// decode is the graph function of a program that turns clean latents into
// pictures.
func (d *denoiser) decode(in *cursor) []*Node {
	return []*Node{d.generator.Decode(in.one())}
}

func (d *denoiser) close() {
	if d != nil {
		d.step.close()
	}
}
