package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
)

// variant is a way to distil.
type variant struct {
	Name      string
	questions int
	plain     bool // attention
}

// variants in the order of what is most worth knowing.
var variants = []variant{{"one question", 1, false}, {"five questions", 5, false}, {"plain attention", 1, true}}

// Run is one distillation: seconds and bytes.
type Run struct {
	Name     string             `json:"name"`
	Open     float64            `json:"open_s"`    // both models, whose weights are made up meanwhile
	Compile  map[string]float64 `json:"compile_s"` // by program
	Encode   float64            `json:"encode_s"`
	Update   float64            `json:"update_s"` // median
	Updates  []float64          `json:"updates_s"`
	Hundred  float64            `json:"hundred_updates_s"` // 100 times the median
	Peak     int64              `json:"peak_bytes"`        // of the device, or on a CPU of the process
	Planned  int64              `json:"planned_bytes"`     // what Plan says that the peak is
	Flops    float64            `json:"flops"`             // of an update, as Plan counts them
	Resident int64              `json:"weights_bytes"`     // of the models while updating
	Loss     []float64          `json:"loss"`
	P        float64            `json:"p"` // of the answer, at the end
}

// distil runs a variant and adds it to the report.
func (s settings) distil(ctx context.Context, r *Report, v variant) {
	fmt.Fprintf(os.Stderr, "%s\n", v.Name)
	run := Run{Name: v.Name, Compile: map[string]float64{}}
	peak := watch(ctx)
	err := s.train(ctx, v, &run)
	run.Peak = peak()
	r.fail(v.Name, err)
	if n := len(run.Updates); n > 0 {
		sorted := slices.Sorted(slices.Values(run.Updates))
		run.Update = sorted[n/2]
		run.Hundred = 100 * run.Update
	}
	fmt.Fprintf(os.Stderr, "  opened in %.1f s, compiled in %v s, %.3f s per update, peak %.1f GiB\n", run.Open, run.Compile, run.Update, float64(run.Peak)/(1<<30))
	r.Runs = append(r.Runs, run)
}

// train opens the models and distils.
func (s settings) train(ctx context.Context, v variant, run *Run) error {
	rt, err := backends.Open(ctx, backends.Options{Backend: s.backend, PlainAttention: v.plain, Offload: s.offload})
	if err != nil {
		return err
	}
	defer rt.Close()
	if err := s.plan(ctx, rt, v, run); err != nil {
		return err
	}
	began := time.Now()
	t, err := s.task(ctx, rt, v)
	if err != nil {
		return err
	}
	run.Open = time.Since(began).Seconds()
	debug.FreeOSMemory() // of the weights that were made up, which the models have copied
	w := &watchers{run: run, rt: rt, began: began, since: time.Now()}
	t.Status, t.Progress = w.status, w.progress
	_, err = dualprocess.Distill(ctx, t)
	return err
}

// plan notes what is to be expected.
func (s settings) plan(ctx context.Context, rt *backends.Runtime, v variant, run *Run) error {
	sketch, err := backends.Sketch(ctx, backends.Options{Backend: rt.Name, Memory: rt.Memory(), PlainAttention: v.plain, Offload: s.offload})
	if err != nil {
		return err
	}
	defer sketch.Close()
	t, err := s.task(ctx, sketch, v)
	if err != nil {
		return err
	}
	needs, err := dualprocess.Plan(ctx, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s\n", needs)
	run.Planned, run.Flops = needs.Peak(), needs.Operations
	return nil
}

// task opens the models and says what to distil.
func (s settings) task(ctx context.Context, rt *backends.Runtime, v variant) (t dualprocess.Task, err error) {
	o := published.Options{Height: s.side, Width: s.side, TextTokens: s.tokens, Int8: s.int8}
	if s.recompute {
		o.Checkpoint = backends.CheckpointOn
	}
	t, err = published.Task(ctx, rt, s.generator, s.verifier, os.DirFS(s.fixtures), o, v.questions)
	t.Updates, t.Split = s.updates+1, s.split
	return t, err
}

// watchers take the times of a distillation.
type watchers struct {
	run   *Run
	rt    *backends.Runtime
	began time.Time // the whole
	since time.Time // of the phase that runs
	now   dualprocess.Status
	last  time.Time // update
}

func (w *watchers) status(s dualprocess.Status) {
	seconds := time.Since(w.since).Seconds()
	switch w.now.Phase {
	case dualprocess.Compiling:
		w.run.Compile[w.now.Program] += seconds
	case dualprocess.Encoding:
		w.run.Encode += seconds
	}
	if s.Phase != w.now.Phase && s.Phase != dualprocess.Updating {
		fmt.Fprintf(os.Stderr, "  %.1f s: %s %s\n", time.Since(w.began).Seconds(), s.Phase, s.Program)
	}
	w.now, w.since = s, time.Now()
}

func (w *watchers) progress(u dualprocess.Update) {
	if w.last.IsZero() { // the first one compiles
		fmt.Fprintf(os.Stderr, "  %.1f s: updating\n", time.Since(w.began).Seconds())
	} else {
		w.run.Updates = append(w.run.Updates, time.Since(w.last).Seconds())
	}
	w.last = time.Now()
	w.run.Loss, w.run.P = append(w.run.Loss, u.Loss), u.MeanP
	w.run.Resident = w.rt.Memory() - w.rt.Free()
}
