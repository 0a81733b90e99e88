package show

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/study"
)

// Setup puts what the command line says into a study's setup.
func (r *Run) Setup(s *study.Setup) {
	r.adjust(&s.Task)
	if r.flags.given["seeds"] {
		s.Seeds = r.Seeds()
	}
	s.Short = r.flags.short
}

// Folder is that of the run's results.
func (r *Run) Folder() string { return r.flags.out }

// Prompts returns those of -prompt, else the example's own.
func (r *Run) Prompts(own ...string) []string {
	if len(r.flags.prompts) > 0 {
		return r.flags.prompts
	}
	return own
}

// Study runs a study in the run's folder, shows how far it is, and prints its table. A
// study that was interrupted is no error: it prints what there is.
func (r *Run) Study(ctx context.Context, s study.Study) (*study.Report, error) {
	r.printf("\n")
	report, err := study.Run(ctx, s, study.Options{Folder: r.flags.out, Progress: r.progress})
	r.bar.end()
	if report == nil || err != nil && ctx.Err() == nil {
		return nil, err
	}
	r.printf("%s\n  %s\n", report.Table.Text(), filepath.Join(r.flags.out, report.Name+".json"))
	return report, nil
}

// progress draws the cells as a bar.
func (r *Run) progress(p study.Progress) {
	if p.Doing == "" {
		r.bar.show(p.Done, p.Total, p.Cell.String())
		return
	}
	doing := fmt.Sprintf("%v: %s", p.Cell, p.Doing)
	switch {
	case p.Steps > 0:
		doing += fmt.Sprintf(" %d/%d", p.Step, p.Steps)
	case p.Step > 0:
		doing += fmt.Sprintf(" %d", p.Step)
	}
	r.bar.begin(doing)
}
