package dualprocess

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

// prepare makes all that an update needs, once. What there is of it is to be closed even
// if there is an error.
func (d *distiller) prepare(ctx context.Context) error {
	plan, err := d.ready(ctx)
	if err != nil {
		return err
	}
	if err = freeEncoders(d.Generator, d.Verifier, d.Judge.Verifier); err != nil {
		return err
	}
	d.state = newState(d.adapter)
	if d.Anchor.Weight > 0 {
		d.anchor = d.adapter.Vector()
	}
	if d.Accumulate > 1 {
		d.zeroSums = []*tensors.Tensor{zeros(d.state.vector), tensors.FromShape(d.metrics.shape())}
	}
	if err = d.checkMemory(ctx, &plan); err != nil {
		return err
	}
	d.Logger.Info("distil", "backend", d.Runtime.Name, "layers", len(d.adapter.Layers()), "updates", d.Updates,
		"height", plan.height, "width", plan.width)
	if d.identity, err = d.identify(&plan); err != nil {
		return err
	}
	if err = d.resume(); err != nil {
		return err
	}
	d.compileAhead(&plan)
	return nil
}

// compileAhead begins to compile the largest program of an update, which comes after the
// steps without gradient: XLA has work for a second processor only towards the end of a
// compilation. On a card programs are timed while they compile, one at a time.
func (d *distiller) compileAhead(p *plan) {
	if d.Runtime.Name != "xla:cpu" || d.finished {
		return
	}
	stages, release := d.stages(p)
	defer release()
	last := stages[len(stages)-1]
	d.compiling = last.program.Begin(last.inputs...)
}

// ready makes prompts, questions, adapter and programs, of which none is compiled yet.
func (d *distiller) ready(ctx context.Context) (p plan, err error) {
	d.draws, d.stop = newDraws(d.Task), stopper{StopAt: d.StopAt}
	d.optimizer = optim.AdamW{Beta1: d.Beta1, Beta2: d.Beta2, Epsilon: d.Epsilon, WeightDecay: d.WeightDecay}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if p, err = d.encode(ctx); err != nil {
		return p, err
	}
	if d.adapter, err = d.newAdapter(p); err != nil {
		return p, err
	}
	if err = d.ask(ctx, &p); err != nil {
		return p, err
	}
	d.metrics = newMetrics(d.Questions, d.shares, d.Anchor.Weight > 0)
	d.denoiser = newDenoiser(d.Runtime, d.Generator, d.adapter, d.conditions)
	d.programs = d.newPrograms()
	return p, nil
}

// encode makes the conditions of all prompts, and from their shapes what the
// generator is like.
func (d *distiller) encode(ctx context.Context) (_ plan, err error) {
	d.clock.phase(Encoding)
	d.prompts = slices.Concat(d.Prompts, d.Preserve.Prompts)
	for _, prompt := range d.Snapshots.Prompts {
		if !slices.Contains(d.prompts, prompt) {
			d.prompts = append(d.prompts, prompt)
		}
	}
	if d.conditions, err = encode(ctx, d.Generator, d.prompts); err != nil {
		return plan{}, err
	}
	return trace(d.Runtime, d.Generator, d.conditions.shapes())
}

// ask prepares the questions, to the verifier and to the judge.
func (d *distiller) ask(ctx context.Context, p *plan) (err error) {
	if d.exam, err = newExam(ctx, d.Runtime, d.Verifier, d.Questions, p.height, p.width); err != nil {
		return err
	}
	d.shares = newShares(d.Questions, d.Prompts)
	if !d.Judge.given() {
		return nil
	}
	if d.rater, err = newRaterOf(ctx, d.Runtime, d.Judge.Verifier, d.Judge.Scorer, d.Judge.Questions, p); err != nil {
		d.rater = nil
		return fmt.Errorf("judge: %w", err)
	}
	return nil
}

// freeEncoders lets go of weights that only preparing needs.
func freeEncoders(models ...any) error {
	for _, m := range models {
		if r, ok := m.(Releaser); ok {
			if err := r.Release(); err != nil {
				return fmt.Errorf("release %T: %w", m, err)
			}
		}
	}
	return nil
}

// newAdapter returns the adapter that training starts from, if there is memory for
// it and for the pictures that the generator makes at once.
func (t *Task) newAdapter(p plan) (*lora.Adapter, error) {
	if err := p.checkBatch("Batch", t.Runtime, t.Batch); err != nil {
		return nil, err
	}
	if t.Start != nil {
		return t.Start.WithWeight(t.Weight), invalidBecause("Start", t.Start.Fits(p.layers))
	}
	if len(p.layers) == 0 {
		return nil, invalid("Generator", "has no layer that can be adapted")
	}
	if err := checkRank(t.Adapter, p.layers, t.Runtime); err != nil {
		return nil, err
	}
	a, err := lora.New(t.Adapter, p.layers)
	if err != nil {
		return nil, invalidBecause("Adapter", err)
	}
	return a.WithWeight(t.Weight), nil
}

// programs are the compiled graphs of a task; those that it does not need are
// nil.
type programs struct {
	renoise            *graphs.Program
	picture, verdict   *graphs.Program // of an update that is split: what comes before
	update             *graphs.Program // a whole update, or
	accumulate, finish *graphs.Program // several micro-batches and then the rest of it
	decode, rate       *graphs.Program // of whole pictures
	statistics         *graphs.Program // of these
}

func (d *distiller) newPrograms() (p programs) {
	rt, g, v := d.Runtime, d.Generator, d.Verifier
	if d.Timesteps == Renoise {
		p.renoise = newProgram(rt, "add noise again", formOf(), d.renoise, g)
	}
	if d.Split {
		p.picture = newProgram(rt, "picture", d.makingForm(), d.drawPicture, g)
		p.verdict = newProgram(d.exam.runtime, "verdict", d.askingForm(formOf()), d.sayVerdict, v)
	}
	if d.Accumulate == 1 {
		p.update = newProgram(rt, "gradient", d.gradientForm().add(d.optimizer, d.Clip), d.fused, g, v)
	} else {
		p.accumulate = newProgram(rt, "gradient", d.gradientForm().add(d.Accumulate), d.accumulate, g, v)
		p.finish = newProgram(rt, "optimiser", formOf(d.adapter.Form(), d.optimizer, d.Clip, d.metrics), d.finish)
	}
	p.decode = newProgram(rt, "decode", formOf(), d.denoiser.decode, g)
	p.rate = d.exam.program()
	if d.Bounds.given() {
		p.statistics = newProgram(rt, "statistics", formOf(), statistics)
	}
	return p
}

func (p *programs) close() {
	for _, program := range []*graphs.Program{p.renoise, p.picture, p.verdict, p.update, p.accumulate, p.finish, p.decode, p.rate, p.statistics} {
		program.Close()
	}
}
