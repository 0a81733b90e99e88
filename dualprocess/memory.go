package dualprocess

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/cost"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// checkMemory returns an error unless there may be memory for an update, before anything
// is compiled for it. What is compiled already has run.
func (d *distiller) checkMemory(ctx context.Context, p *plan) error {
	stages, release := d.stages(p)
	defer release()
	for _, s := range stages {
		if s.program.Compiled(s.inputs...) {
			continue
		}
		c, err := s.program.Measure(ctx, s.inputs...)
		if err != nil {
			return err
		}
		if need := c.Inputs + c.Bytes(); !s.on.Fits(need) {
			return fmt.Errorf("%w: an update takes about %s besides the models' weights, and %s are free; %s",
				backends.ErrMemory, size(need), size(s.on.Free()), d.switches())
		}
	}
	return nil
}

// switches names the settings by which an update takes less.
func (d *distiller) switches() string {
	help := "open both models with Checkpoint: backends.CheckpointOn"
	if !d.Split {
		help += ", set Split"
	}
	if d.Batch > 1 {
		help += fmt.Sprintf(", make Batch less than %d and Accumulate more", d.Batch)
	}
	if len(d.Questions) > 1 {
		help += fmt.Sprintf(", ask fewer questions than %d", len(d.Questions))
	}
	return help + ", or make smaller pictures"
}

// stage is a program of an update, with inputs of zeros.
type stage struct {
	on      *backends.Runtime
	program *graphs.Program
	inputs  []any
}

// stages are the programs of an update, from the picture with gradient on.
func (d *distiller) stages(p *plan) (all []stage, release func()) {
	b := d.outlined(p)
	in, release := []any{d.inputs(b)}, b.release
	if d.Split {
		said := d.outlinedVerdict(p.height, p.width)
		release = func() {
			b.release()
			graphs.Release(said...)
		}
		in = []any{d.makingInputs(b), said}
		all = []stage{
			{d.Runtime, d.programs.picture, []any{d.makingInputs(b)}},
			{d.exam.runtime, d.programs.verdict, []any{said[0], d.askingInputs(b)}},
		}
	}
	if d.Accumulate > 1 {
		return append(all, stage{d.Runtime, d.programs.accumulate, []any{d.zeroSums, in}}), release
	}
	return append(all, stage{d.Runtime, d.programs.update, []any{in, d.state.inputs(d.LearningRate)}}), release
}

// measureGradients says what these programs take on a runtime: the one that takes the
// most has the memory to itself, the operations add up.
func (d *distiller) measureGradients(ctx context.Context, p *plan, on *backends.Runtime) (most cost.Cost, err error) {
	stages, release := d.stages(p)
	defer release()
	operations := 0.
	for _, s := range stages {
		if s.on != on {
			continue
		}
		c, err := s.program.Measure(ctx, s.inputs...)
		if err != nil {
			return most, err
		}
		operations += c.Operations
		if taken(on, c) > taken(on, most) {
			most = c
		}
	}
	most.Operations = operations
	return most, nil
}

// taken is what a program has of a runtime's memory to itself: with its weights, if they
// leave when it is done.
func taken(rt *backends.Runtime, c cost.Cost) int64 {
	if rt.Offloads() {
		return c.Weights + c.Bytes()
	}
	return c.Bytes()
}

// measureDenoising says what a step without gradient takes.
func (d *distiller) measureDenoising(ctx context.Context, p *plan) (cost.Cost, error) {
	b := d.outlined(p)
	defer b.release()
	state := initial(d.Generator, b.learning.state[0])
	return d.denoiser.step.Measure(ctx, d.denoiser.inputs(d.adapted(), state, 0, b.learning.rows)...)
}

// outlined is a micro-batch of zeros.
func (d *distiller) outlined(p *plan) (b microBatch) {
	shape := p.latents.Clone()
	shape.Dimensions[0] = d.Batch
	latents, rows := tensors.FromShape(shape), make([]int32, d.Batch)
	b.learning = &pictures{slices.Repeat([]*tensors.Tensor{latents}, d.startSize()), d.index(d.FirstStep), rows}
	if d.Preserve.Weight > 0 {
		b.preserved = &pictures{[]*tensors.Tensor{latents}, 0, rows}
	}
	return b
}
