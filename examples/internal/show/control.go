package show

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// Control is one thing that an example distils.
type Control struct {
	// Task is what to distil, with the command line's changes and a progress bar.
	Task dualprocess.Task

	name    string
	run     *Run
	measure Gauge
	quality []Gauge
	record  *controlRecord
}

// Control begins a control. measure looks at what is asked for, quality at what
// should not suffer from it.
func (r *Run) Control(name string, t dualprocess.Task, measure Gauge, quality ...Gauge) *Control {
	r.adjust(&t)
	c := &Control{name: name, run: r, measure: measure, quality: quality}
	if r.flags.guard {
		c.guard(&t)
	}
	c.record = newControlRecord(name, t)
	for _, g := range c.gauges() {
		c.record.Gauges = append(c.record.Gauges, g.Name)
	}
	r.record.Controls = append(r.record.Controls, c.record)
	t.Progress, t.Status = c.Progress("updates"), c.Status()
	c.Task = t
	if t.Runtime != nil {
		r.record.Backend, r.record.Reason = t.Runtime.Name, strings.Split(t.Runtime.Reason, "\n")
	}
	r.bar.end() // that of a download
	r.printf("\n%s, on %s\n", name, r.record.Backend)
	for k, q := range t.Questions {
		r.printf("  question %d: %s → %s\n", k+1, q.Text, q.Answer)
	}
	if r.flags.hack {
		r.printf("  -hack: learning rate %g and no guard%s; expect the verifier to be fooled\n", t.LearningRate, choose(r.flags.guard, " but those that watch", ""))
	}
	return c
}

// Progress returns a callback that shows updates and keeps their numbers under a
// name. Task has one, named updates.
func (c *Control) Progress(name string) func(dualprocess.Update) {
	var pace pace
	return func(u dualprocess.Update) {
		if c.record.Training == nil {
			c.record.Training = map[string][]updateRecord{}
		}
		c.record.Training[name] = append(c.record.Training[name], newUpdateRecord(u))
		text := fmt.Sprintf("loss %.3f  P(answer) %.3f  %.1f s%s", u.Loss, u.MeanP, u.Elapsed.Seconds(), pace.left(u))
		if u.Skipped {
			text = "skipped, " + u.Fault + " not finite"
		}
		c.run.bar.show(u.Number, u.Total, text)
	}
}

// pace estimates how long the rest of a training takes.
type pace struct{ first dualprocess.Update }

// left says so, by the updates after the first, which compiled.
func (p *pace) left(u dualprocess.Update) string {
	if p.first.Number == 0 || u.Number <= p.first.Number {
		p.first = u
		return ""
	}
	each := (u.Elapsed - p.first.Elapsed).Seconds() / float64(u.Number-p.first.Number)
	return fmt.Sprintf(", %.0f s left", each*float64(u.Total-u.Number))
}

// Status returns a callback that shows what is being done, for Task and Evaluation.
func (c *Control) Status() func(dualprocess.Status) {
	return func(s dualprocess.Status) {
		what := string(s.Phase)
		if s.Program != "" {
			what += " " + s.Program
		}
		c.run.bar.begin(what)
	}
}

// Keep takes what Distill returned, saves the adapter and says so. An adapter that
// was cut short is kept too, and nothing but its absence is an error.
func (c *Control) Keep(a *lora.Adapter, err error) (*lora.Adapter, error) {
	c.run.bar.end()
	if a == nil {
		return nil, err
	}
	last := updateRecord{}
	if all := c.record.Training["updates"]; len(all) > 0 {
		last = all[len(all)-1]
	}
	c.record.Seconds = last.Seconds
	switch {
	case errors.Is(err, context.Canceled):
		c.record.Ended = "interrupted"
	case err != nil:
		c.record.Ended = err.Error()
	case last.Number < c.Task.Updates:
		c.record.Ended = fmt.Sprintf("P(answer) reached %g", c.Task.StopAt.P)
	default:
		c.record.Ended = "all updates made"
	}
	path, err := c.run.save(c.name, a)
	if err != nil {
		return nil, err
	}
	c.record.Adapter = path
	c.run.printf("  %d updates in %.1f s (%s): %s\n", last.Number, last.Seconds, c.record.Ended, path)
	c.printFindings()
	return a, c.run.write()
}

// Watch shows the progress of an evaluation; it is for Evaluation.Progress.
func (c *Control) Watch() func(dualprocess.Rating) {
	done := 0
	c.run.bar.begin("making and rating pictures")
	return func(dualprocess.Rating) {
		done++
		c.run.bar.show(done, 0, "pictures made and rated")
		c.run.bar.begin("making and rating pictures")
	}
}

// Group are ratings that belong together: those to be compared before and after.
type Group struct {
	Name    string
	Ratings []dualprocess.Rating
	// Stays says that these pictures should not change: their gauges are reported
	// as leaks, and no verdict is passed on them.
	Stays bool
	// Plain, if there is one, returns the caption whose picture before is the one that gauges of
	// pairs compare with: the prompt without the words that ask for what the control is about.
	// It must be in one of the groups of the report.
	Plain func(prompt string) string
}

// Of returns the ratings of the pictures made from some prompts.
func Of(ratings []dualprocess.Rating, prompts ...string) []dualprocess.Rating {
	wanted := map[string]bool{}
	for _, p := range prompts {
		wanted[p] = true
	}
	var out []dualprocess.Rating
	for _, r := range ratings {
		if wanted[r.Prompt] {
			out = append(out, r)
		}
	}
	return out
}

// Report prints the table of before and after and the verdict on the first group,
// draws the contact sheet and writes all numbers.
func (c *Control) Report(groups ...Group) error {
	c.run.bar.end()
	before := before(groups)
	for _, g := range groups {
		if len(g.Ratings) > 0 {
			c.record.Groups = append(c.record.Groups, c.compare(g, before))
		}
	}
	if len(c.record.Groups) == 0 {
		return errors.Join(fmt.Errorf("show: %s: no picture was rated", c.name), c.run.write())
	}
	c.printTable()
	c.judge(c.record.Groups)
	c.printVerdict()
	path := c.run.path(c.name, ".png")
	layer, _ := c.Task.Questions[0].Overlay.(overlay.Layer)
	if err := c.sheet(groups, layer).write(path); err != nil {
		return err
	}
	c.record.Sheet = path
	c.run.printf("  pictures: %s\n", path)
	return c.run.write()
}
