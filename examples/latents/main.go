// Latents sets two ways of spending the same gradient side by side, as the paper's
// Table 2 does: moving the latents of some seeds, or the generator's weights. Both
// fit the seeds they were given. Then fresh seeds, and other prompts, show what was
// learnt: of the latents the mean offset is all that can be carried over.
//
//	go run ./examples/latents
//
// It is the study of package study, which goes on where it was interrupted, with a
// contact sheet.
package main

import (
	"context"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/study/pocket"
)

const row = 0.35 // of the line on which the horizon shall lie

func main() { show.Pocket("latents", latents) }

func latents(ctx context.Context, run *show.Run) error {
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	models, _, err := pocket.Open(ctx, rt) // closed with the runtime
	if err != nil {
		return err
	}
	line, err := run.Overlay(overlay.Solid{Picture: overlay.HorizonLine{Row: row}})
	if err != nil {
		return err
	}
	s := pocket.Latents(models, row)
	s.Question.Overlay = line
	task := s.Task
	task.Prompts, task.Questions = []string{s.Prompt}, []dualprocess.Question{s.Question}
	control := run.Control("latents and weights", task, show.Horizon(row), show.Subject(), show.Palette())

	s.Task, s.Seeds = control.Task, run.Seeds()
	s.Prompt, s.Question, s.Unseen = control.Task.Prompts[0], control.Task.Questions[0], run.Unseen(s.Unseen...)
	report, err := run.Study(ctx, s)
	if err != nil {
		return err
	}
	groups, err := compared(run.Folder(), report)
	if err != nil || len(groups) == 0 { // it was interrupted
		return err
	}
	return control.Report(groups...)
}
