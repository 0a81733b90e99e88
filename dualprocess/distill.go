package dualprocess

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

// patience is the number of updates in a row that may fail to be finite.
const patience = 3

// Distill teaches an adapter of the task's generator what its verifier wants to
// see, and returns it.
//
// Every update goes through four stages: pictures are denoised without gradient
// to some step; that step's prediction implies clean pictures; the verifier says
// how sure it is of the wanted answers about them; and the adapter moves down the
// gradient of -log P(answer).
//
// The returned adapter belongs to the caller; t.Start is not changed. When the
// context ends, Distill stops within one update and returns the adapter as trained
// so far together with the context's error. So it does with other errors that
// come after the first update has begun, among them one that wraps ErrNotFinite
// when several updates in a row were not finite: the adapter is then the one from
// before them. Errors that come earlier come with a nil adapter: those that wrap
// ErrTask, ErrPrompt for words that a model does not know, backends.ErrMemory where an
// update, as Plan counts it, cannot fit, and the models' own.
func Distill(ctx context.Context, t Task) (adapter *lora.Adapter, err error) {
	defer named(&err)
	began := time.Now()
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if t, err = t.resolved(); err != nil {
		return nil, err
	}
	done, err := hold(t.Runtime, runtimeOf(t.Verifier, t.Runtime), runtimeOf(t.Judge.Verifier, t.Runtime))
	if err != nil {
		return nil, err
	}
	defer done()
	defer t.Runtime.Trim() // of the scratch space that updates have taken
	d := &distiller{Task: t, clock: clock{began: began, status: Status{Total: t.Updates}, tell: t.Status}}
	defer d.close()
	ctx = d.clock.observed(ctx)
	if err := d.prepare(ctx); err != nil {
		return nil, err
	}
	return d.train(ctx)
}

// distiller is a task under way. It goes through the files in this order: prompts
// are encoded (conditions.go) and become latents without gradient (denoise.go,
// batch.go); from there on there is a gradient (loss.go): latents become a picture,
// the questions' overlays are laid over it and the verifier is asked (exam.go), the
// answers are weighed (shares.go), and the adapter is updated (update.go). What was
// measured on the way comes back in one vector (metrics.go).
type distiller struct {
	Task      // with every default filled in
	identity  identity
	adapter   *lora.Adapter
	optimizer optim.AdamW

	prompts    []string    // all: the task's, the preserved ones, others of snapshots
	conditions *conditions // of these
	denoiser   *denoiser
	exam       *exam
	shares     *shares
	metrics    metrics
	programs   programs

	draws    draws
	state    state
	anchor   *tensors.Tensor   // the moving reference as a vector; nil without one
	rater    rater             // of the judge; nil without one
	before   *Evidence         // of the base model; nil until a guard wants to know
	zeroSums []*tensors.Tensor // that accumulation starts from; nil without
	stop     stopper

	clock        clock
	compiling    func() // waits for what is being compiled; nil where nothing is
	made, kept   int    // updates; those in the last checkpoint
	place        place  // of the draws after the last update
	judged       bool   // StopAt has looked at the last update
	finished     bool
	skipped      int // updates in all
	skippedInRow int
}

// adapted is the adapter as it is now, at its weight in training.
func (d *distiller) adapted() *adapted {
	return &adapted{d.state.vector, d.Weight}
}

// train makes the updates that are left.
func (d *distiller) train(ctx context.Context) (*lora.Adapter, error) {
	for !d.finished {
		err := d.advance(ctx)
		if failed := d.keep(d.finished || err != nil); err == nil {
			err = failed
		}
		if err != nil {
			return d.trained(err)
		}
	}
	if d.stop.best != nil {
		return d.stop.best, nil
	}
	return d.trained(nil)
}

// advance makes one update, with all that follows from it.
func (d *distiller) advance(ctx context.Context) (err error) {
	u := Update{Number: d.made, Total: d.Updates}
	if fresh := d.made == 0 || d.judged; fresh { // else the last update was made, but not judged
		if u, err = d.update(ctx, d.made); err != nil {
			return err
		}
	}
	done, err := d.shouldStop(ctx, &u)
	if err != nil {
		return err
	}
	d.judged = true
	d.report(u)
	if d.skippedInRow >= patience {
		return fmt.Errorf("%w: %s, in %d updates in a row up to update %d of %d",
			ErrNotFinite, u.Fault, d.skippedInRow, u.Number, u.Total)
	}
	d.finished = done || d.made == d.Updates
	stop, err := d.show(ctx, u, d.finished)
	d.finished = d.finished || stop
	return err
}

// trained brings the adapter as it is now to the host, and returns it with err.
func (d *distiller) trained(err error) (*lora.Adapter, error) {
	a, failed := d.snapshot()
	if err == nil {
		err = failed
	}
	return a, err
}

// snapshot copies the adapter as it is now to the host.
func (d *distiller) snapshot() (*lora.Adapter, error) {
	a, err := d.adapter.WithVector(d.state.vector)
	if err != nil {
		return nil, fmt.Errorf("bring the adapter to the host: %w", err)
	}
	return a, nil
}

// update makes update n, counted from 0.
func (d *distiller) update(ctx context.Context, n int) (Update, error) {
	d.clock.status.Number = n + 1
	rate := d.learningRate(n)
	step, keptStep := d.draws.steps(&d.Task)
	values, err := d.descend(ctx, step, keptStep, rate)
	if err != nil {
		return Update{}, fmt.Errorf("update %d: %w", n+1, err)
	}
	d.made, d.judged = n+1, false
	if err := d.moveAnchor(); err != nil {
		return Update{}, err
	}
	if d.place, err = d.draws.place(); err != nil {
		return Update{}, err
	}
	u := d.metrics.read(values)
	u.Number, u.Total, u.Step, u.LearningRate = n+1, d.Updates, step, rate
	if u.Skipped {
		d.skipped++
		d.skippedInRow++
	} else {
		d.skippedInRow = 0
		d.state.taken++
	}
	u.SkippedInAll = d.skipped
	return u, nil
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

// report tells the caller and the log about an update.
func (d *distiller) report(u Update) {
	u.Elapsed = time.Since(d.clock.began)
	level, message := slog.LevelDebug, "update"
	switch {
	case u.Skipped:
		level, message = slog.LevelWarn, "update skipped: "+u.Fault+" not finite"
	case u.GradientNorm == 0:
		level, message = slog.LevelWarn, "no gradient reaches the adapter"
	}
	if f := u.Findings; f != nil && f.Hacking.Suspected {
		d.Logger.Warn("reward hacking suspected", "number", u.Number, "why", f.Hacking.Reasons)
	}
	d.Logger.Log(context.Background(), level, message, "number", u.Number, "loss", u.Loss, "p", u.MeanP,
		"step", u.Step, "gradient", u.GradientNorm, "drift", u.Drift, "preserved", u.Preserved)
	if d.Progress != nil {
		d.Progress(u)
	}
}

// close frees what the task holds on the device.
func (d *distiller) close() {
	if d == nil {
		return
	}
	if d.compiling != nil {
		d.compiling()
	}
	d.state.release()
	graphs.Release(d.anchor)
	graphs.Release(d.zeroSums...)
	d.conditions.release()
	d.exam.release()
	if d.rater != nil {
		d.rater.close()
	}
	d.programs.close()
}
