package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"
)

// Evidence is what was found about the pictures of StopAt.Seeds.
type Evidence struct {
	P          float64    // mean P(answer) by the verifier
	Judge      float64    // the same by the Judge; 0 without one
	Statistics Statistics // zero without Bounds
}

// Findings are what Judge and Bounds found at a validation.
type Findings struct {
	Before Evidence // of the base model's pictures
	After  Evidence // of those of the adapter as it is now
	// Hacking is suspected if the verifier's P(answer) has risen and the gap to the judge's
	// has widened by more than Judge.Gap of that, or if the pictures are out of Bounds.
	Hacking Judgement
}

// find compares.
func (t *Task) find(before, after Evidence) *Findings {
	f := &Findings{Before: before, After: after}
	rise := after.P - before.P
	if widened := rise - (after.Judge - before.Judge); t.Judge.given() && rise > leastRise && !(widened <= t.Judge.Gap*rise) {
		f.Hacking.Reasons = append(f.Hacking.Reasons, fmt.Sprintf("P(answer) rose from %.2f to %.2f but the judge's went from %.2f to %.2f",
			before.P, after.P, before.Judge, after.Judge))
	}
	f.Hacking.Reasons = append(f.Hacking.Reasons, t.Bounds.broken(before.Statistics, after.Statistics)...)
	f.Hacking.Suspected = len(f.Hacking.Reasons) > 0
	return f
}

// validate looks at pictures made in full with the adapter as it is now.
func (d *distiller) validate(ctx context.Context, u *Update) error {
	d.clock.phase(Validating)
	after, err := d.look(ctx, d.adapted())
	if err != nil {
		return err
	}
	u.Validated, u.Validation = true, after.P
	if !d.Judge.given() && !d.Bounds.given() {
		return nil
	}
	if d.before == nil {
		before, err := d.look(ctx, d.adapted().base())
		if err != nil {
			return fmt.Errorf("base model: %w", err)
		}
		d.before = &before
	}
	u.Findings = d.find(*d.before, after)
	return nil
}

// look makes the validation's pictures in full and finds out about them: the verifier's
// mean P(answer) over the questions that each is asked, and what the guards want.
func (d *distiller) look(ctx context.Context, a *adapted) (e Evidence, err error) {
	jobs := make([]job, len(d.StopAt.Seeds))
	for k, seed := range d.StopAt.Seeds {
		jobs[k] = job{seed, int32(k % len(d.Prompts))}
	}
	var teacher, judge []float64
	var shown gallery
	err = d.rated(ctx, a, jobs, func(jobs []job, pictures *tensors.Tensor, p [][]float64) error {
		for k := range jobs {
			for q, question := range d.Questions {
				if question.isFor(d.prompts[jobs[k].row]) {
					teacher = append(teacher, p[k][q])
				}
			}
		}
		said, err := d.judge(ctx, pictures, jobs)
		if judge = append(judge, said...); err != nil || d.programs.statistics == nil {
			return err
		}
		out, err := d.programs.statistics.Run(ctx, pictures)
		if err != nil {
			return err
		}
		return shown.add(out, jobs)
	})
	e.P = mean(teacher)
	if d.Judge.given() {
		e.Judge = mean(judge)
	}
	if d.Bounds.given() && err == nil {
		e.Statistics = shown.statistics()
	}
	return e, err
}
