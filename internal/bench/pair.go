package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// ofUpdates are the numbers of a pair's updates. The adapters are those after the last one, apart by a part of the way that
// ours has come: AdamW's first steps are as long for the least gradient as for any, whose sign rounding decides.
var ofUpdates = numbers{"loss", "norm of the gradient", "adapter is", map[string]tolerance{"float32": {1e-3, 1e-3, 0.01}}}

// paired is what was found of the updates of a generator with a verifier.
type paired struct {
	Generator string        `json:"generator"` // titles, or names of published checkpoints
	Verifier  string        `json:"verifier"`
	Side      int           `json:"side"`      // of the picture
	Questions int           `json:"questions"` // about it
	Of        int           `json:"of_steps"`
	Steps     []int         `json:"steps"` // with gradient, of each update
	Error     string        `json:"error,omitempty"`
	Sides     []*pairedSide `json:"sides"`
}

// pairedSide is what was found of a side, of each update.
type pairedSide struct {
	Side    string    `json:"side"`
	What    string    `json:"what"` // computed
	Open    float64   `json:"open_seconds"`
	Losses  []float64 `json:"losses"`
	Norms   []float64 `json:"norms"`   // of the gradient
	Seconds []float64 `json:"seconds"` // the first compiles
	Peak    int64     `json:"peak_bytes"`
	Apart   float64   `json:"adapter_apart,omitempty"` // from ours at last, of the way that ours has come
}

// pair makes updates of a generator with a verifier, by our side and then by PyTorch's, and compares them. No two sides are
// there at once: published models need most of a machine's memory.
func (b *bench) pair(ctx context.Context, subjects []subject) error {
	if len(subjects) != 2 || subjects[0].Kind != generators || subjects[1].Kind != verifiers {
		return errors.New("-pair: name one generator and one verifier with -models, such as sd,qwen25vl")
	}
	o, p, err := b.pairOrder(ctx, subjects[0], subjects[1])
	if err != nil {
		return err
	}
	if err := b.train(ctx, o, p); err != nil {
		p.Error = err.Error()
	}
	r := &report{Settings: b.settings, Machine: machine(), Date: time.Now().UTC().Format(time.DateOnly), Pair: p}
	fmt.Print(r.pairTable())
	if err := r.write(b.out); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil:
		return errStopped
	case p.Error != "":
		return errors.New(p.Error)
	}
	return nil
}

// pairOrder writes both checkpoints, and returns what shall be done with them and where it is found.
func (b *bench) pairOrder(ctx context.Context, g, v subject) (o order, p *paired, err error) {
	checkpoints, err := b.toLoad([]subject{g, v})
	if err != nil {
		return o, nil, err
	}
	if len(checkpoints) != 2 {
		return o, nil, errors.New("-published: name a generator's checkpoint and a verifier's for -pair, in this order")
	}
	if o, err = b.order(g); err != nil {
		return o, nil, err
	}
	other, err := b.order(v)
	if err != nil {
		return o, nil, err
	}
	o.Kind, o.VerifierProgram, o.Sparing = pairs, other.Program, b.Published != ""
	o.Updates, o.Steps, o.Guidance, o.Batch = b.Updates, g.Sampler.Steps, g.Sampler.Guidance, 1
	if b.Side > 0 {
		o.Side = b.Side
	}
	o.Scale = scale{Side: o.Side, Questions: pairQuestions, Batch: 1, Rank: rank}
	for k, folder := range []*string{&o.Checkpoint, &o.Verifier} {
		b.say("%s: writing the checkpoint", checkpoints[k].name)
		if *folder, err = b.folder(checkpoints[k]); err != nil {
			return o, nil, err
		}
		if err := checkpoints[k].write(ctx, *folder); err != nil {
			return o, nil, err
		}
	}
	return o, &paired{Generator: checkpoints[0].title, Verifier: checkpoints[1].title, Side: o.Side, Questions: pairQuestions, Of: o.Steps}, nil
}

// nameOf is that of a checkpoint by its folder.
func nameOf(checkpoint string) string { return filepath.Base(filepath.Dir(checkpoint)) }

// pairQuestions are asked about each picture.
const pairQuestions = 2

// train has the sides make their updates, one side after the other. An error is the first that says why nothing counts.
func (b *bench) train(ctx context.Context, o order, p *paired) error {
	folder, err := filepath.Abs(filepath.Join(b.work, b.DType, nameOf(o.Checkpoint)+"+"+nameOf(o.Verifier)))
	if err != nil {
		return err
	}
	o.Adapter = filepath.Join(folder, "adapter.safetensors")
	file, err := o.place(folder)
	if err != nil {
		return err
	}
	for _, l := range b.launch {
		if l.side == compiled { // its numbers are eager's, and it takes minutes to compile and memory that may not be there
			continue
		}
		if err := b.trainSide(ctx, l, file, p); err != nil {
			return fmt.Errorf("%s: %w", l.side, err)
		}
	}
	return nil
}

// trainSide has a side make its updates, and compares each with ours.
func (b *bench) trainSide(ctx context.Context, l launcher, order string, p *paired) error {
	began := time.Now()
	side, err := start(ctx, l.command(order), l.environment(order), b.Limit)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer side.end()
	s := &pairedSide{Side: l.side, What: side.what, Open: time.Since(began).Seconds()}
	p.Sides = append(p.Sides, s)
	for k := range b.Updates {
		r, err := side.ask(ctx, 1, b.Limit)
		if err != nil {
			return fmt.Errorf("update %d: %w", k+1, err)
		}
		s.Losses, s.Norms, s.Seconds = append(s.Losses, r.Losses[0]), append(s.Norms, r.Norms[0]), append(s.Seconds, r.Seconds[0])
		s.Peak, s.Apart = r.Peak, r.Apart
		if l.side == ours {
			p.Steps = r.Steps
		}
		b.say("  %-8s update %d of %d: %.1f s, loss %.6g, norm %.6g", l.side, k+1, b.Updates, s.Seconds[k], s.Losses[k], s.Norms[k])
		if err := ofUpdates.differ([2]float64{s.Losses[k], s.Norms[k]}, [2]float64{p.Sides[0].Losses[k], p.Sides[0].Norms[k]}, b.DType); err != nil {
			return fmt.Errorf("update %d: %w", k+1, err)
		}
	}
	if l.side == ours {
		return nil
	}
	return ofUpdates.far(s.Apart, b.DType)
}
