package training

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
)

// Options of the training.
type Options struct {
	// Dir keeps the state between runs.
	Dir string
	// Logger is told about the progress; required.
	Logger *slog.Logger
	// Steps overrides the number of steps of every stage, for a trial; 0 keeps them.
	Steps int
}

// drawFn makes the batch of a step from the plan's seed and the step alone, so
// that a run that was stopped goes on with the batches it would have seen.
type drawFn func(p plan, step int) []*tensors.Tensor

// train runs f to the step until, from where its state in o.Dir stands. It saves
// every two minutes, at the end, and when ctx ends.
func (f *fit) train(ctx context.Context, o Options, until int, draw drawFn) error {
	if err := f.resume(o); err != nil {
		return err
	}
	if f.step >= until {
		return nil
	}
	drawing, stop := context.WithCancel(ctx)
	defer stop()
	next := f.batches(drawing, until, draw)
	show := newMeter(f, o.Logger)
	saved := time.Now()
	for f.step < until && ctx.Err() == nil {
		batch, ok := <-next
		if !ok {
			break
		}
		values, err := f.run(batch)
		if err != nil {
			return err
		}
		show.add(values)
		if time.Since(saved) > 2*time.Minute {
			if err := f.save(o); err != nil {
				return err
			}
			saved = time.Now()
		}
	}
	if err := f.save(o); err != nil {
		return err
	}
	return ctx.Err()
}

// batches draws the batches up to the step until, the next one while a step
// computes.
func (f *fit) batches(ctx context.Context, until int, draw drawFn) <-chan []*tensors.Tensor {
	next := make(chan []*tensors.Tensor, 2)
	go func(step int) {
		defer close(next)
		for ; step < until; step++ {
			select {
			case next <- draw(f.plan, step):
			case <-ctx.Done():
				return
			}
		}
	}(f.step)
	return next
}

// meter averages what the steps show and logs it.
type meter struct {
	fit    *fit
	logger *slog.Logger
	sums   []float64
	count  int
	since  time.Time
}

func newMeter(f *fit, logger *slog.Logger) *meter {
	return &meter{fit: f, logger: logger, since: time.Now()}
}

// add takes one step's numbers and logs the mean of every 50.
func (m *meter) add(values []float32) {
	if m.sums == nil {
		m.sums = make([]float64, len(values))
	}
	for i, v := range values {
		m.sums[i] += float64(v)
	}
	m.count++
	if m.fit.step%50 != 0 && m.fit.step != m.fit.plan.total() {
		return
	}
	var shown []string
	for _, s := range m.sums[2:] {
		shown = append(shown, fmt.Sprintf("%.4f", s/float64(m.count)))
	}
	m.logger.Info(m.fit.plan.name, "step", m.fit.step, "of", m.fit.plan.total(),
		"loss", fmt.Sprintf("%.4f", m.sums[0]/float64(m.count)),
		"norm", fmt.Sprintf("%.3f", m.sums[1]/float64(m.count)), "parts", shown,
		"seconds_per_step", fmt.Sprintf("%.3f", time.Since(m.since).Seconds()/float64(m.count)))
	clear(m.sums)
	m.count, m.since = 0, time.Now()
}
