package dualprocess

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// pictures are the pictures of a micro-batch before the step that is taken with
// gradient.
type pictures struct {
	state []*tensors.Tensor // latents [batch, ...] and what else the steps to come want, on the device
	i     int32             // what the step, or level, is called in graph methods
	rows  []int32           // numbers of their prompts
}

// inputs lists them for a program; c are the conditions of all prompts.
func (p *pictures) inputs(c *conditions) []any {
	if p == nil {
		return nil
	}
	return []any{p.state, p.i, c.inputs(p.rows)}
}

// pictureNodes are pictures in a graph.
type pictureNodes struct {
	state []*Node // each [batch, ...]
	i     *Node   // int32 scalar
	cond  []*Node // of their prompts, [batch, ...]
}

// takePictures reads inputs in a graph, of states of a size.
func takePictures(in *cursor, c *conditions, size int) pictureNodes {
	p := pictureNodes{state: in.take(size), i: in.one()}
	p.cond = c.take(in, p.state[0].Shape().Dim(0))
	return p
}

// microBatch is what one graph of gradients works on: pictures that learn and, if
// any are preserved, pictures that must not change.
type microBatch struct {
	learning  *pictures
	preserved *pictures // nil = none
}

func (b microBatch) release() {
	for _, p := range []*pictures{b.learning, b.preserved} {
		if p != nil {
			graphs.Release(p.state...)
		}
	}
}

// nextBatch makes the next micro-batch.
func (d *distiller) nextBatch(ctx context.Context, step, keptStep int) (b microBatch, err error) {
	d.clock.phase(Denoising)
	defer d.clock.phase(Updating)
	if b.learning, err = d.nextLearning(ctx, step); err != nil {
		return b, err
	}
	if d.Preserve.Weight == 0 {
		return b, nil
	}
	if b.preserved, err = d.nextPreserved(ctx, keptStep); err != nil {
		b.release()
		return b, fmt.Errorf("preserved prompts: %w", err)
	}
	return b, nil
}

// nextLearning makes latents of a step without gradient, the adapter on.
func (d *distiller) nextLearning(ctx context.Context, step int) (p *pictures, err error) {
	seeds, rows := d.draws.next(d.Batch)
	p = &pictures{i: d.index(step), rows: rows}
	if d.startSize() > 1 {
		p.state, err = d.denoiser.stateFromSeeds(ctx, d.adapted(), seeds, rows, step)
		return p, err
	}
	var latents *tensors.Tensor
	if d.Timesteps == Renoise {
		latents, err = d.renoised(ctx, p.i, seeds, rows)
	} else {
		latents, err = d.denoiser.fromSeeds(ctx, d.adapted(), seeds, rows, step)
	}
	p.state = []*tensors.Tensor{latents}
	return p, err
}

// startSize is the number of tensors of a state that the graph of gradients begins
// with: the latents alone where it takes no step from there.
func (d *distiller) startSize() int {
	if d.Unroll > 1 || d.toTheEnd() {
		return stateSize(d.Generator)
	}
	return 1
}

// toTheEnd tells whether the steps with gradient end with the generator's last.
func (t *Task) toTheEnd() bool { return t.Unroll > 0 && t.FirstStep+t.Unroll == t.Generator.Steps() }

// nextPreserved makes latents of a step as the base model has them.
func (d *distiller) nextPreserved(ctx context.Context, step int) (p *pictures, err error) {
	seeds, rows := d.draws.nextKept(d.Batch)
	latents, err := d.denoiser.fromSeeds(ctx, d.adapted().base(), seeds, rows, step)
	return &pictures{[]*tensors.Tensor{latents}, int32(step), rows}, err
}

// renoised denoises in full, the adapter on, and goes back to step i by fresh
// noise.
func (d *distiller) renoised(ctx context.Context, i int32, seeds []int64, rows []int32) (*tensors.Tensor, error) {
	noise, err := latentsOf(d.Generator, d.draws.newSeeds(len(seeds)))
	if err != nil {
		return nil, err
	}
	defer graphs.Release(noise)
	clean, err := d.denoiser.fromSeeds(ctx, d.adapted(), seeds, rows, d.Generator.Steps())
	if err != nil {
		return nil, err
	}
	defer graphs.Release(clean)
	out, err := d.programs.renoise.Run(ctx, clean, noise, i)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// renoise is the graph that goes back to a step by adding noise.
func (d *distiller) renoise(in *cursor) []*Node {
	return []*Node{d.Generator.(Noiser).Noise(in.one(), in.one(), in.one())}
}

// index is what a drawn step or level is called in the generator's graph methods.
func (d *distiller) index(step int) int32 {
	if d.levels() > 0 {
		step += d.Generator.Steps()
	}
	return int32(step)
}

// drawn is the step or level that is called so.
func (d *distiller) drawn(i int32) int { return int(i - d.index(0)) }
