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
	b := d.outlined(p)
	defer b.release()
	program, inputs := d.gradientProgram(b)
	if program.Compiled(inputs...) {
		return nil
	}
	c, err := program.Measure(ctx, inputs...)
	if err != nil {
		return err
	}
	need := c.Inputs + c.Bytes()
	if d.Runtime.Fits(need) {
		return nil
	}
	return fmt.Errorf("%w: an update takes about %s besides the models' weights, and %s are free; %s",
		backends.ErrMemory, size(need), size(d.Runtime.Free()), d.switches())
}

// switches names the settings by which an update takes less.
func (d *distiller) switches() string {
	help := "open both models with Checkpoint: backends.CheckpointOn"
	if d.Batch > 1 {
		help += fmt.Sprintf(", make Batch less than %d and Accumulate more", d.Batch)
	}
	if len(d.Questions) > 1 {
		help += fmt.Sprintf(", ask fewer questions than %d", len(d.Questions))
	}
	return help + ", or make smaller pictures"
}

// gradientProgram is the program with the gradient, and its inputs for a micro-batch.
func (d *distiller) gradientProgram(b microBatch) (*graphs.Program, []any) {
	if d.Accumulate > 1 {
		return d.programs.accumulate, []any{d.zeroSums, d.inputs(b)}
	}
	return d.programs.update, []any{d.inputs(b), d.state.inputs(d.LearningRate)}
}

// measureGradient says what the program with the gradient takes.
func (d *distiller) measureGradient(ctx context.Context, p *plan) (cost.Cost, error) {
	b := d.outlined(p)
	defer b.release()
	program, inputs := d.gradientProgram(b)
	return program.Measure(ctx, inputs...)
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
