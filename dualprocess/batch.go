package dualprocess

import (
	"context"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// draws decides at random, or in turn, what each update works on.
type draws struct {
	seeds     []int64
	order     SeedOrder
	prompts   int // rows of the tables of conditions
	preserved int // further rows, of the preserved prompts

	pictures, kept int // handed out so far

	step, keptStep, seed, keptSeed, noise *rand.Rand
}

func newDraws(t Task) draws {
	return draws{
		seeds: t.Seeds, order: t.SeedOrder, prompts: len(t.Prompts), preserved: len(t.Preserve.Prompts),
		step: stream(t.Seed, "step"), keptStep: stream(t.Seed, "preserved step"),
		seed: stream(t.Seed, "seed order"), keptSeed: stream(t.Seed, "preserved seed"), noise: stream(t.Seed, "renoise"),
	}
}

// drawSteps draws the steps of one update: all its pictures share one, all
// preserved ones another, so that micro-batches add up to exactly the bigger batch.
// Preserved ones are denoised to their step, which so is never a level.
func (d *distiller) drawSteps() (step, keptStep int) {
	first, end := d.FirstStep, d.EndStep
	step = first + d.draws.step.IntN(end-first)
	if d.levels() > 0 {
		first, end = 0, d.Generator.Steps()
	}
	return step, first + d.draws.keptStep.IntN(end-first)
}

// next returns the seeds and prompts of the next pictures. Each time that seeds
// and prompts have both come round, the seeds shift by one, so that every prompt
// meets every seed even if one number divides the other.
func (d *draws) next(batch int) (seeds []int64, rows []int32) {
	round := d.prompts / gcd(d.prompts, len(d.seeds)) * len(d.seeds)
	for range batch {
		k := (d.pictures + d.pictures/round) % len(d.seeds)
		if d.order == Drawn {
			k = d.seed.IntN(len(d.seeds))
		}
		seeds = append(seeds, d.seeds[k])
		rows = append(rows, int32(d.pictures%d.prompts))
		d.pictures++
	}
	return seeds, rows
}

// nextKept returns the seeds and prompts of the next preserved pictures.
func (d *draws) nextKept(batch int) (seeds []int64, rows []int32) {
	for range batch {
		seeds = append(seeds, newSeed(d.keptSeed))
		rows = append(rows, int32(d.prompts+d.kept%d.preserved))
		d.kept++
	}
	return seeds, rows
}

// newSeeds returns seeds of noise that is added again.
func (d *draws) newSeeds(batch int) []int64 {
	seeds := make([]int64, batch)
	for k := range seeds {
		seeds[k] = newSeed(d.noise)
	}
	return seeds
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// batch prepares the next micro-batch: the inputs for the graph of gradients, and
// those among them that are to be freed afterwards.
func (d *distiller) batch(ctx context.Context, step, keptStep int) (in []any, free []*tensors.Tensor, err error) {
	seeds, rows := d.draws.next(d.Batch)
	latents, err := d.latentsAt(ctx, step, seeds, rows)
	if err != nil {
		return nil, nil, err
	}
	in = append(d.adapted().inputs(), d.conditions.tables, latents, d.index(step), rows)
	free = append(free, latents)
	if d.Preserve.Weight > 0 {
		seeds, rows := d.draws.nextKept(d.Batch)
		kept, err := d.denoiser.fromSeeds(ctx, d.adapted().base(), seeds, rows, keptStep)
		if err != nil {
			release(free...)
			return nil, nil, fmt.Errorf("preserved prompts: %w", err)
		}
		in = append(in, kept, int32(keptStep), rows)
		free = append(free, kept)
	}
	return append(in, d.exam.inputs()), free, nil
}

// latentsAt makes the latents of a step without gradient, the adapter on.
func (d *distiller) latentsAt(ctx context.Context, step int, seeds []int64, rows []int32) (*tensors.Tensor, error) {
	if d.Timesteps == Subsample {
		return d.denoiser.fromSeeds(ctx, d.adapted(), seeds, rows, step)
	}
	noise, err := latentsOf(d.Generator, d.draws.newSeeds(len(seeds)))
	if err != nil {
		return nil, err
	}
	defer release(noise)
	clean, err := d.denoiser.fromSeeds(ctx, d.adapted(), seeds, rows, d.Generator.Steps())
	if err != nil {
		return nil, err
	}
	defer release(clean)
	out, err := d.programs.renoise.run(ctx, clean, noise, d.index(step))
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// index is what a drawn step or level is called in the generator's graph methods.
func (d *distiller) index(step int) int32 {
	if d.levels() > 0 {
		step += d.Generator.Steps()
	}
	return int32(step)
}

// renoise is the graph that goes back to a step by adding noise.
func (d *distiller) renoise(in *cursor) []*Node {
	return []*Node{d.Generator.(Noiser).Noise(in.one(), in.one(), in.one())}
}

// learningRate is that of update n, counted from 0.
func (t *Task) learningRate(n int) float64 {
	rate := t.LearningRate
	if n < t.WarmUp {
		rate *= float64(n+1) / float64(t.WarmUp)
	}
	if left := t.Updates - 1 - n; left < t.Decay {
		rate *= t.DecayTo + (1-t.DecayTo)*float64(left)/float64(t.Decay)
	}
	return rate
}
