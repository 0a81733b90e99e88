package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// samplerPlan says how a generator's pictures are made.
type samplerPlan struct {
	Steps    int      `json:"steps"`
	Guidance *float64 `json:"guidance"` // where the generator has it; nil = it has none
}

// ofPictures are the numbers of a run that makes pictures. The pixels are what tells: without the adapter the mean of FLUX's
// pictures is another by a thousandth alone, its pixels by 0.07. Ours are rounded to 8 bits, which sets them apart by 0.0011.
var ofPictures = numbers{"mean", "root mean square", "pictures are", map[string]tolerance{"float32": {1e-3, 1e-3, 2e-3}, "bfloat16": {0.01, 0.01, 0.05}}}

// against are the batches in which PyTorch takes part.
var against = batchList{1, 4}

// changed is how long pictures take after a change, in seconds.
type changed struct {
	What    string      `json:"what,omitempty"` // "" = nothing, beside which the others are measured
	Seconds [][]float64 `json:"seconds"`        // of each run of each round
	Spread  *spread     `json:"spread"`
}

// batchList is a flag of numbers.
type batchList []int

func (l *batchList) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*l), " ", ","), "[]")
}

// Set implements flag.Value.
func (l *batchList) Set(text string) error {
	*l = nil
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of pictures", word)
		}
		*l = append(*l, n)
	}
	return nil
}

// generatorsOf are those whose pictures are measured: of all models, unless some are named.
func (s settings) generatorsOf(subjects []subject) (chosen []subject, err error) {
	for _, x := range subjects {
		switch {
		case x.Kind == generators && x.Sampler.Steps < 1:
			return nil, fmt.Errorf("%s/%s/bench.json: sampler.steps is %d, want at least 1", x.Kind, x.Name, x.Sampler.Steps)
		case x.Kind == generators:
			chosen = append(chosen, x)
		case s.Models != "":
			return nil, fmt.Errorf("-sampler: %s makes no pictures: name generators with -models", x.Name)
		}
	}
	return chosen, nil
}

// sample measures the pictures of one generator at one batch; with the first batch also after changes.
func (b *bench) sample(ctx context.Context, s subject, batch int) *measured {
	m := &measured{Name: s.Name, Title: s.Title, Kind: pictures, Batch: batch}
	b.say("%s, %d at once: writing the checkpoint", s.Name, batch)
	file, err := b.prepareSampler(ctx, s, batch)
	if err != nil {
		m.Error = err.Error()
		return m
	}
	launch := b.launch
	if !slices.Contains(against, batch) {
		launch = launch[:1]
	}
	alive := b.turns(ctx, b.beginAll(ctx, m, file, launch))
	defer end(alive)
	if batch == b.Batches[0] && len(alive) > 0 && alive[0].Side == ours {
		if m.Changes, err = b.change(ctx, alive[0]); err != nil {
			m.Error = err.Error()
		}
	}
	return m
}

// prepareSampler writes the checkpoint and the order, and returns the order's file.
func (b *bench) prepareSampler(ctx context.Context, s subject, batch int) (string, error) {
	o, err := b.order(s)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(filepath.Dir(o.Checkpoint), fmt.Sprint(pictures, batch))
	o.Kind, o.Batch, o.Steps, o.Guidance = pictures, batch, s.Sampler.Steps, s.Sampler.Guidance
	o.Adapter, o.Pictures = filepath.Join(folder, "adapter.safetensors"), filepath.Join(folder, "pictures.safetensors")
	if err := b.write(ctx, s, o.Checkpoint); err != nil {
		return "", err
	}
	return o.place(folder)
}

// change has our side make pictures as before, at other weights, and with adapters that it has not had, in turn. It fails
// where something is compiled for them.
func (b *bench) change(ctx context.Context, side *measuredSide) ([]*changed, error) {
	all := []*changed{{}, {What: anotherWeight}, {What: anotherAdapter}}
	for range b.Rounds {
		for _, c := range all {
			r, err := side.peer.request(ctx, request{Runs: b.Runs, Change: c.What}, time.Duration(b.Runs)*b.Limit)
			if err != nil {
				return nil, fmt.Errorf("pictures after a change of the %s: %w", c.What, err)
			}
			c.Seconds = append(c.Seconds, r.Seconds)
		}
	}
	return all, nil
}

// samplers lists what is measured: each generator at each batch.
func (b *bench) samplers(subjects []subject) (jobs []job, err error) {
	chosen, err := b.generatorsOf(subjects)
	if err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		return nil, errors.New("-sampler: there is no generator")
	}
	for _, s := range chosen {
		for _, batch := range b.Batches {
			jobs = append(jobs, func(ctx context.Context) *measured { return b.sample(ctx, s, batch) })
		}
	}
	return jobs, nil
}
