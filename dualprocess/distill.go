package dualprocess

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gomlx/gomlx/core/tensors"

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
// before them. Errors that come earlier, such as those that wrap ErrTask, come with
// a nil adapter.
func Distill(ctx context.Context, t Task) (*lora.Adapter, error) {
	began := time.Now()
	t, err := t.resolved()
	if err != nil {
		return nil, err
	}
	d, err := newDistiller(ctx, t)
	defer d.close()
	if err != nil {
		return nil, err
	}
	d.began = began
	return d.train(ctx)
}

// distiller is a task under way.
type distiller struct {
	Task      // with every default filled in
	adapter   *lora.Adapter
	optimizer optim.AdamW

	conditions *conditions // of the prompts and, behind them, the preserved ones
	exam       *exam
	denoiser   *denoiser
	programs   programs

	draws    draws
	state    state
	zeroSums []*tensors.Tensor // that accumulation starts from; nil without
	stop     stopper

	began        time.Time
	skipped      int // updates in all
	skippedInRow int
}

// state is all that training changes, on the device.
type state struct {
	params, m, v []*tensors.Tensor
	taken        int // updates that were not skipped
}

// adapted is the adapter as it is now, at its weight in training.
func (d *distiller) adapted() *adapted {
	return &adapted{d.state.params, d.Weight}
}

// train makes the updates.
func (d *distiller) train(ctx context.Context) (*lora.Adapter, error) {
	for n := range d.Updates {
		u, err := d.update(ctx, n)
		if err != nil {
			return d.trained(err)
		}
		done, err := d.shouldStop(ctx, &u)
		if err != nil {
			return d.trained(err)
		}
		d.report(u)
		if d.skippedInRow >= patience {
			return d.trained(fmt.Errorf("%w: %s, in %d updates in a row up to update %d of %d",
				ErrNotFinite, u.Fault, d.skippedInRow, u.Number, u.Total))
		}
		if done {
			break
		}
	}
	if d.stop.best != nil {
		return d.stop.best, nil
	}
	return d.trained(nil)
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
	a, err := d.adapter.WithParams(d.state.params)
	if err != nil {
		return nil, fmt.Errorf("dualprocess: bring the adapter to the host: %w", err)
	}
	return a, nil
}

// update makes update n, counted from 0.
func (d *distiller) update(ctx context.Context, n int) (Update, error) {
	rate := d.learningRate(n)
	step, keptStep := d.drawSteps()
	metrics, err := d.step(ctx, step, keptStep, rate)
	if err != nil {
		return Update{}, fmt.Errorf("dualprocess: update %d: %w", n+1, err)
	}
	u := readMetrics(metrics, len(d.Questions))
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

// step computes one update from as many micro-batches as the task asks for, takes
// it into the state, and returns its measurements.
func (d *distiller) step(ctx context.Context, step, keptStep int, rate float64) ([]float32, error) {
	var in []any
	var free []*tensors.Tensor
	var err error
	program := d.programs.update
	if d.Accumulate == 1 {
		in, free, err = d.batch(ctx, step, keptStep)
	} else {
		program = d.programs.finish
		free, err = d.accumulated(ctx, step, keptStep)
		in = []any{d.state.params, free}
	}
	if err != nil {
		return nil, err
	}
	defer release(free...)
	out, err := program.run(ctx, append(in, d.state.m, d.state.v, float32(d.state.taken+1), float32(rate))...)
	if err != nil {
		return nil, err
	}
	return d.take(out)
}

// accumulated runs the micro-batches and returns the mean gradients and, behind
// them, the mean measurements.
func (d *distiller) accumulated(ctx context.Context, step, keptStep int) ([]*tensors.Tensor, error) {
	sums := d.zeroSums
	for k := range d.Accumulate {
		next, err := d.addBatch(ctx, sums, step, keptStep)
		if k > 0 {
			release(sums...)
		}
		if err != nil {
			return nil, err
		}
		sums = next
	}
	return sums, nil
}

// addBatch runs one micro-batch and returns the sums with its share added.
func (d *distiller) addBatch(ctx context.Context, sums []*tensors.Tensor, step, keptStep int) ([]*tensors.Tensor, error) {
	in, free, err := d.batch(ctx, step, keptStep)
	if err != nil {
		return nil, err
	}
	defer release(free...)
	return d.programs.accumulate.run(ctx, append([]any{sums}, in...)...)
}

// take replaces the state by an update's results and returns the measurements.
// Those are read first: should the device have failed, the state is as before.
func (d *distiller) take(out []*tensors.Tensor) ([]float32, error) {
	last := len(out) - 1
	metrics, err := tensors.CopyFlatData[float32](out[last])
	release(out[last])
	if err != nil {
		release(out...)
		return nil, fmt.Errorf("read the measurements: %w", err)
	}
	n := last / 3
	d.state.release()
	d.state.params, d.state.m, d.state.v = out[:n:n], out[n:2*n:2*n], out[2*n:last]
	return metrics, nil
}

func (s *state) release() {
	release(s.params...)
	release(s.m...)
	release(s.v...)
}

// report tells the caller and the log about an update.
func (d *distiller) report(u Update) {
	u.Elapsed = time.Since(d.began)
	level, message := slog.LevelDebug, "update"
	switch {
	case u.Skipped:
		level, message = slog.LevelWarn, "update skipped: "+u.Fault+" not finite"
	case u.GradientNorm == 0:
		level, message = slog.LevelWarn, "no gradient reaches the adapter"
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
	d.state.release()
	release(d.zeroSums...)
	d.conditions.release()
	d.exam.release()
	d.denoiser.close()
	d.programs.close()
}
