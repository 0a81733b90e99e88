package dualprocess

import (
	"context"
	"fmt"

	"github.com/dualprocess/dualprocess-go/lora"
)

// stopper remembers what StopAt judges by.
type stopper struct {
	StopAt
	recent []float64     // mean P(answer) of the last updates
	best   *lora.Adapter // of the best validation so far; nil without validations
	bestP  float64       // of that validation: what it is compared by
	hacked bool          // reward hacking was suspected there
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
	if err := d.validate(ctx, u); err != nil {
		return false, fmt.Errorf("validate after update %d: %w", u.Number, err)
	}
	p, hacked := u.Validation, u.Findings != nil && u.Findings.Hacking.Suspected
	if d.Judge.given() {
		p = u.Findings.After.Judge
	}
	if s.better(p, hacked) {
		best, err := d.snapshot()
		if err != nil {
			return false, err
		}
		s.best, s.bestP, s.hacked = best, p, hacked
	}
	return s.P > 0 && u.Validation >= s.P || s.Hacking && hacked, nil
}

// better says by StopAt's rule whether a validation is better than the best so far.
func (s *stopper) better(p float64, hacked bool) bool {
	if s.best == nil || hacked != s.hacked {
		return s.best == nil || s.hacked
	}
	return !(p <= s.bestP) // anything is better than NaN
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
