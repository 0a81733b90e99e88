package dualprocess

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
)

// LatentTask says for which seeds latents are optimised. Runtime, Generator,
// Verifier, Prompt, Questions and Seeds must be given.
type LatentTask struct {
	Runtime   *backends.Runtime
	Generator Generator // as it is: its weights stay
	Verifier  Verifier
	Prompt    string
	Questions []Question
	Seeds     []int64 // each optimised on its own, all at once on the device

	LearningRate float64 // of Adam, in units of the noise, which has variance 1; 0 = 0.05
	Updates      int     // 0 = 100
	Clip         float64 // largest norm of the gradient of one seed; 0 = 1, negative = no clipping

	// Unroll is the number of the generator's steps that the gradient goes
	// through. With all of them it is exact: the picture rated is the picture
	// sampled. With fewer, the picture rated is the clean estimate after so many,
	// the paper's way: less memory, and the sample may differ. 0 = all for a
	// generator of at most 4 steps, else 1.
	Unroll int

	// Prior is the weight of a term that keeps the length of the latents what it
	// is for Gaussian noise (Eyring et al. 2024), per number; 0 = none.
	Prior float64

	// These are called on the caller's goroutine and may be nil.
	Progress func(Update) // after every update, with means over the seeds
	Status   func(Status) // when something else begins to be done
}

// LatentResult is what OptimizeLatents found, one entry or row per seed.
type LatentResult struct {
	Seeds   []int64
	Initial *tensors.Tensor // the noise of the seeds, float32 [seeds, ...]
	Latents *tensors.Tensor // of the lowest loss seen, float32 [seeds, ...]

	Before, After   []image.Image // sampled in full from Initial and Latents, of type *image.NRGBA
	PBefore, PAfter [][]float64   // P(answer) of these, per seed and question

	// Elapsed is the time of the whole optimisation, compilation included. It is
	// also the cost of inference: a new picture means a new optimisation.
	Elapsed time.Duration
	// SampleTime is what sampling these pictures once costs, compiled: the cost of
	// inference where weights are optimised instead.
	SampleTime time.Duration
}

// OptimizeLatents moves the latents of some seeds, instead of weights, down the
// gradient of the same loss: the baseline of the paper's section 4.4. The result
// holds for these seeds and this prompt alone.
//
// When the context ends, the best latents so far are returned, without pictures
// After, together with the context's error. Errors are otherwise as for Distill:
// ErrTask and ErrPrompt come with a nil result, ErrNotFinite with the best latents
// from before, if any update was made.
func OptimizeLatents(ctx context.Context, t LatentTask) (r *LatentResult, err error) {
	defer named(&err)
	began := time.Now()
	if err := firstError(checkContext(ctx), t.resolve()); err != nil {
		return nil, err
	}
	done, err := hold(t.Runtime)
	if err != nil {
		return nil, err
	}
	defer done()
	defer t.Runtime.Trim()
	clock := &clock{began: began, status: Status{Total: t.Updates}, tell: t.Status}
	ctx = clock.observed(ctx)
	clock.phase(Encoding)
	o, err := newLatentOptimizer(ctx, t)
	defer o.close()
	if err != nil {
		return nil, err
	}
	return o.run(ctx, clock)
}

// run looks, optimises, and looks again.
func (o *latentOptimizer) run(ctx context.Context, clock *clock) (r *LatentResult, err error) {
	t := o.LatentTask
	clock.phase(Rendering)
	r = &LatentResult{Seeds: t.Seeds}
	if r.Initial, err = latentsOf(t.Generator, t.Seeds); err != nil {
		return nil, err
	}
	if r.Before, r.PBefore, err = o.look(ctx, r.Initial); err != nil {
		return nil, err
	}
	sampled := time.Now()
	again, _, err := o.draw(ctx, r.Initial)
	graphs.Release(again)
	if err != nil {
		return nil, err
	}
	r.SampleTime = time.Since(sampled)
	clock.began = clock.began.Add(r.SampleTime)

	clock.phase(Updating)
	r.Latents, err = o.optimize(ctx, r.Initial, clock)
	r.Elapsed = time.Since(clock.began)
	if err == nil {
		clock.phase(Rendering)
		r.After, r.PAfter, err = o.look(ctx, r.Latents)
	}
	return r, err
}

func (t *LatentTask) resolve() error {
	setDefault(&t.LearningRate, 0.05)
	setDefault(&t.Updates, 100)
	setDefault(&t.Clip, 1)
	if err := firstError(
		checkRuntime(t.Runtime),
		checkModel("Generator", t.Runtime, t.Generator),
		checkModel("Verifier", t.Runtime, t.Verifier),
		checkQuestions("Questions", t.Questions, t.Prompt),
	); err != nil {
		return err
	}
	if len(t.Seeds) == 0 {
		return invalid("Seeds", "at least one is needed")
	}
	steps := t.Generator.Steps()
	if t.Unroll == 0 && steps <= 4 {
		t.Unroll = steps
	}
	setDefault(&t.Unroll, 1)
	return firstError(
		inRange("LearningRate", t.LearningRate, math.SmallestNonzeroFloat64, math.MaxFloat32),
		inRange("Updates", float64(t.Updates), 1, math.MaxInt32),
		isFinite("Clip", t.Clip),
		inRange("Unroll", float64(t.Unroll), 1, float64(steps)),
		inRange("Prior", t.Prior, 0, math.MaxFloat32),
	)
}

// latentOptimizer is a LatentTask under way.
type latentOptimizer struct {
	LatentTask // with every default filled in
	optimizer  optim.AdamW
	studio     *studio
	rater      *verifierRater
	shares     *shares
	metrics    metrics
	program    *graphs.Program
}

// newLatentOptimizer prepares prompt, questions and programs. What it returns is
// to be closed even if there is an error.
func newLatentOptimizer(ctx context.Context, t LatentTask) (o *latentOptimizer, err error) {
	o = &latentOptimizer{LatentTask: t, studio: newStudio(t.Runtime, t.Generator, nil, len(t.Seeds))}
	if err = o.studio.prepare(ctx, t.Prompt); err != nil {
		return o, err
	}
	plan := o.studio.plan
	if err = plan.checkBatch("Seeds", t.Runtime, len(t.Seeds)); err != nil {
		return o, err
	}
	if o.rater, err = newVerifierRater(ctx, t.Runtime, t.Verifier, t.Questions, plan.height, plan.width); err != nil {
		return o, err
	}
	if err = freeEncoders(t.Verifier); err != nil {
		return o, err
	}
	o.shares = newShares(t.Questions, []string{t.Prompt})
	o.metrics = newMetrics(t.Questions, o.shares, false)
	f := formOf(t.Unroll, t.Prior, t.Clip, o.shares != nil)
	o.program = newProgram(t.Runtime, "update latents", o.rater.exam.form(f), o.update, t.Generator, t.Verifier)
	return o, nil
}

// look samples pictures from latents in full and rates them.
func (o *latentOptimizer) look(ctx context.Context, latents *tensors.Tensor) ([]image.Image, [][]float64, error) {
	pictures, images, err := o.draw(ctx, latents)
	defer graphs.Release(pictures)
	if err != nil {
		return nil, nil, err
	}
	p, err := o.rater.rate(ctx, pictures, slices.Repeat([]string{o.Prompt}, len(o.Seeds)))
	return images, p, err
}

// draw samples pictures from latents in full; those on the device are the caller's,
// even if there is an error.
func (o *latentOptimizer) draw(ctx context.Context, latents *tensors.Tensor) (*tensors.Tensor, []image.Image, error) {
	pictures, err := o.studio.fromLatents(ctx, latents)
	if err != nil {
		return nil, nil, err
	}
	made, err := toImages(pictures, len(o.Seeds))
	images := make([]image.Image, len(made))
	for k, img := range made {
		images[k] = img
	}
	return pictures, images, err
}

// optimize makes the updates and returns the latents of the lowest loss seen, on
// the host.
func (o *latentOptimizer) optimize(ctx context.Context, initial *tensors.Tensor, clock *clock) (*tensors.Tensor, error) {
	state, err := newLatentState(initial)
	if err != nil {
		return nil, fmt.Errorf("copy latents: %w", err)
	}
	inRow := 0
	for n := range o.Updates {
		clock.status.Number = n + 1
		u, err := o.step(ctx, state, n)
		if err != nil {
			return finish(state, fmt.Errorf("update %d of latents: %w", n+1, err))
		}
		u.Elapsed = time.Since(clock.began)
		if o.Progress != nil {
			o.Progress(u)
		}
		if inRow++; !u.Skipped {
			inRow = 0
		}
		if inRow >= patience {
			return finish(state, fmt.Errorf("%w: %s, in %d updates in a row up to update %d of %d",
				ErrNotFinite, u.Fault, inRow, u.Number, u.Total))
		}
	}
	return finish(state, nil)
}

func (o *latentOptimizer) close() {
	if o != nil {
		o.studio.close()
		o.rater.close()
		o.program.Close()
	}
}
