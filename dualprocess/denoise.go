package dualprocess

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// denoiser runs a generator without gradient. One compiled step serves all steps,
// and the latents stay on the device in between.
type denoiser struct {
	generator  Generator
	adapter    *lora.Adapter // its layers; nil = only ever the base model
	mixed      int           // pictures of a batch that have adapters of their own; 0 = one for all
	conditions *conditions
	step       *graphs.Program
}

func newDenoiser(rt *backends.Runtime, g Generator, a *lora.Adapter, c *conditions) *denoiser {
	d := &denoiser{generator: g, adapter: a, conditions: c}
	d.step = newProgram(rt, "denoise", formOf(a.Form()), d.build, g)
	return d
}

// newMixedDenoiser returns a denoiser for batches whose pictures have adapters of
// their own, of a's Shape. It is yet to be given conditions.
func newMixedDenoiser(rt *backends.Runtime, g Generator, a *lora.Adapter, batch int) *denoiser {
	d := &denoiser{generator: g, adapter: a, mixed: batch}
	d.step = newProgram(rt, "denoise with several adapters", formOf(a.Shape(), batch), d.build, g)
	return d
}

// fromSeeds denoises the noise of the seeds from step 0 to step end, for the
// prompts of the given rows.
func (d *denoiser) fromSeeds(ctx context.Context, a group, seeds []int64, rows []int32, end int) (*tensors.Tensor, error) {
	latents, err := latentsOf(d.generator, seeds)
	if err != nil {
		return nil, err
	}
	return d.denoise(ctx, a, latents, rows, end)
}

// stateFromSeeds is fromSeeds with all that the step to come wants.
func (d *denoiser) stateFromSeeds(ctx context.Context, a group, seeds []int64, rows []int32, end int) ([]*tensors.Tensor, error) {
	latents, err := latentsOf(d.generator, seeds)
	if err != nil {
		return nil, err
	}
	return d.denoiseState(ctx, a, latents, rows, end)
}

// denoise takes the latents of step 0 to step end. It takes over the latents that
// it is given.
func (d *denoiser) denoise(ctx context.Context, a group, latents *tensors.Tensor, rows []int32, end int) (*tensors.Tensor, error) {
	state, err := d.denoiseState(ctx, a, latents, rows, end)
	if err != nil {
		return nil, err
	}
	if end > 0 {
		graphs.Release(state[1:]...)
	}
	return state[0], nil
}

// denoiseState is denoise with all of the state of step end; at step 0 its tensors are
// one and the same.
func (d *denoiser) denoiseState(ctx context.Context, a group, latents *tensors.Tensor, rows []int32, end int) ([]*tensors.Tensor, error) {
	state := initial(d.generator, latents)
	for i := range end {
		out, err := d.step.Run(ctx, d.inputs(a, state, i, rows)...)
		graphs.Release(state...)
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		state = out
	}
	return state, nil
}

// inputs lists what one step wants: the adapter, the state of step i, i, and the
// conditions of the batch.
func (d *denoiser) inputs(a group, state []*tensors.Tensor, i int, rows []int32) []any {
	return []any{a.inputs(), state, int32(i), d.conditions.inputs(rows)}
}

// build is the graph of one step: it reads inputs and returns the state of step
// i+1.
func (d *denoiser) build(in *cursor) []*Node {
	delta := d.takeDelta(in)
	state, i := in.take(stateSize(d.generator)), in.one()
	cond := d.conditions.take(in, state[0].Shape().Dim(0))
	prediction := d.generator.Predict(delta, state[0], i, cond)
	return advance(d.generator, state, prediction, i)
}

func (d *denoiser) takeDelta(in *cursor) *lora.Delta {
	if d.mixed > 0 {
		return takeMixed(in, d.adapter, d.mixed)
	}
	delta, _ := takeDelta(in, d.adapter)
	return delta
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

// decode is the graph function of a program that turns clean latents into
// pictures.
func (d *denoiser) decode(in *cursor) []*Node {
	return []*Node{d.generator.Decode(in.one())}
}
