package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/lora"
)

// stopper remembers what StopAt judges by.
type stopper struct {
	StopAt
	recent []float64     // mean P(answer) of the last updates
	bestP  float64       // of the validations so far
	best   *lora.Adapter // of that validation; nil without validations
}

// shouldStop says whether training may end after this update, validating where
// that is due.
func (d *distiller) shouldStop(ctx context.Context, u *Update) (bool, error) {
	s := &d.stop
	switch {
	case s.Seeds == nil && s.P == 0:
		return false, nil
	case s.Seeds == nil:
		return s.window(u), nil
	case u.Number%s.Every != 0 && u.Number != u.Total:
		return false, nil
	}
	d.clock.phase(Validating)
	p, err := d.validate(ctx)
	if err != nil {
		return false, fmt.Errorf("validate after update %d: %w", u.Number, err)
	}
	u.Validated, u.Validation = true, p
	if s.best == nil || !(p <= s.bestP) { // anything is better than NaN
		if s.best, err = d.snapshot(); err != nil {
			return false, err
		}
		s.bestP = p
	}
	return s.P > 0 && p >= s.P, nil
}

// window adds an update to the window and says whether its mean is high enough.
func (s *stopper) window(u *Update) bool {
	if u.Skipped {
		return false
	}
	s.recent = append(s.recent, u.MeanP)
	if len(s.recent) > s.Window {
		s.recent = s.recent[1:]
	}
	return len(s.recent) == s.Window && mean(s.recent) >= s.P
}

// validate returns the mean P(answer) of pictures made in full with the adapter
// as it is now, over the questions that each is asked.
func (d *distiller) validate(ctx context.Context) (float64, error) {
	jobs := make([]job, len(d.StopAt.Seeds))
	for k, seed := range d.StopAt.Seeds {
		jobs[k] = job{seed, int32(k % len(d.Prompts))}
	}
	var all []float64
	err := d.rated(ctx, jobs, func(jobs []job, _ *tensors.Tensor, p [][]float64) error {
		for k := range jobs {
			for q, question := range d.Questions {
				if question.isFor(d.prompts[jobs[k].row]) {
					all = append(all, p[k][q])
				}
			}
		}
		return nil
	})
	return mean(all), err
}

// job is one picture to make: a seed, and a row of the tables of conditions.
type job struct {
	seed int64
	row  int32
}

// eachBatch calls do for batches of jobs. They are all of the same size, so that
// nothing is compiled twice: the last is filled up with its last job, and used
// tells how many count.
func eachBatch(jobs []job, size int, do func(seeds []int64, rows []int32, used int) error) error {
	for start := 0; start < len(jobs); start += size {
		var seeds []int64
		var rows []int32
		for k := start; k < start+size; k++ {
			j := jobs[min(k, len(jobs)-1)]
			seeds, rows = append(seeds, j.seed), append(rows, j.row)
		}
		if err := do(seeds, rows, min(size, len(jobs)-start)); err != nil {
			return err
		}
	}
	return nil
}
