package study

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// Study is an experiment whose result is a table. The package has those of the paper;
// one of your own is a type with these three methods.
type Study interface {
	// Plan says which cells there are, in the order in which they are measured, and
	// checks the settings. It is called once, first.
	Plan() (Plan, error)

	// Measure makes one cell, with what the bench has: a sampler, adapters that were
	// trained before, a folder for pictures. What it returns must follow from the
	// settings and the cell, or a study that was interrupted ends otherwise.
	Measure(ctx context.Context, b *Bench, c Cell) (Measurement, error)

	// Summarize makes the table, and a figure if there is anything to draw, of the
	// cells that the report has so far. It asks the bootstrap for intervals.
	Summarize(r *Report, b Bootstrap) (Table, *Figure)
}

// Plan is what a study is going to do.
type Plan struct {
	Name  string // of the files: letters, digits, dots and dashes
	Title string // of the table
	Cells []Cell // no two alike

	// Settings are all that the numbers depend on, as JSON. Run compares them with those
	// of a folder that has results already.
	Settings any
}

// Cell is one piece of work: an entry of the table, or one repeat of it.
type Cell struct {
	Row    string `json:"row"`
	Column string `json:"column"`
	Repeat string `json:"repeat,omitempty"` // a prompt, a rule, a part of the pictures
}

// String names the cell in a line.
func (c Cell) String() string {
	text := c.Row
	for _, more := range []string{c.Column, c.Repeat} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

// Measurement is what was found in one cell.
type Measurement struct {
	Value   Number            `json:"value"`             // what an entry of the table is the mean of
	Numbers map[string]Number `json:"numbers,omitempty"` // others that concern the whole cell
	Samples []Sample          `json:"samples,omitempty"` // what Value was computed from
}

// Sample is what was found about one picture.
type Sample struct {
	Prompt  string            `json:"prompt,omitempty"`
	Seed    int64             `json:"seed,omitempty"`
	Picture string            `json:"picture,omitempty"` // file, seen from the study's folder, with slashes
	Group   string            `json:"group,omitempty"`   // of samples that belong together in their cell
	Values  map[string]Number `json:"values"`
}

// Options say how a study is run.
type Options struct {
	// Folder is where everything is written: the numbers as <name>.json, the table as
	// <name>.md and <name>.txt, pictures and adapters in folders of their own. It is made
	// if there is none. The same study goes on in it where it stopped, whatever stopped
	// it, and ends with the same numbers but for the seconds. Must be given. Two
	// processes must not share it at the same time.
	Folder string

	Bootstrap Bootstrap      // of the intervals; the zero value is 95 % of 2000 draws
	Progress  func(Progress) // is told what is being done; on the caller's goroutine; may be nil
}

// Progress is what is being done.
type Progress struct {
	Cell        Cell
	Done, Total int    // cells
	Doing       string // "training", "pictures" …; empty when a cell has just been done

	Step, Steps int           // of what is being done, if that is known
	Elapsed     time.Duration // since Run began
}

// Errors that a caller may want to tell apart.
var (
	// ErrSettings says that a study cannot be run as it is: a setting is missing or
	// wrong. The message names the field.
	ErrSettings = errors.New("invalid study")
	// ErrFolder says that the folder has results of other settings, or of another
	// version of this package. The message names what differs.
	ErrFolder = errors.New("the folder has another study's results")
)

// Run measures the cells of a study that its folder does not have yet, writes after
// each, and returns the report. When an error comes, the context's for instance, the
// report so far comes with it; it is nil if nothing could be begun.
func Run(ctx context.Context, s Study, o Options) (r *Report, err error) {
	if s == nil || o.Folder == "" {
		return nil, fmt.Errorf("study: %w: a study and Options.Folder must be given", ErrSettings)
	}
	plan, err := s.Plan()
	if err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	if err := plan.check(); err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	if err := os.MkdirAll(o.Folder, 0o777); err != nil {
		return nil, fmt.Errorf("study: %w", err)
	}
	if r, err = open(o.Folder, plan); err != nil {
		return nil, fmt.Errorf("study: %s: %w", plan.Name, err)
	}
	b := &Bench{folder: o.Folder, study: plan.Name, tell: o.Progress, began: time.Now()}
	defer b.close()
	if err := r.measure(ctx, s, b, plan.Cells, o.Bootstrap); err != nil {
		return r, fmt.Errorf("study: %s: %w", plan.Name, err)
	}
	return r, nil
}

// measure makes the cells that are missing.
func (r *Report) measure(ctx context.Context, s Study, b *Bench, cells []Cell, boot Bootstrap) error {
	// First of all, so that whatever else is in the folder belongs to these settings; the
	// intervals may be asked for otherwise than before, too.
	if err := r.write(s, b.folder, boot); err != nil {
		return err
	}
	for k, c := range cells {
		b.at(c, k, len(cells))
		if _, have := r.Cell(c); have {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		m, err := s.Measure(ctx, b, c)
		if err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
		r.Cells = append(r.Cells, Result{Cell: c, Measurement: m, Seconds: Number(time.Since(began).Seconds())})
		if err := r.write(s, b.folder, boot); err != nil {
			return err
		}
		b.at(c, k+1, len(cells))
		b.report("", 0, 0)
	}
	return nil
}

// check looks for mistakes of a study.
func (p Plan) check() error {
	if p.Name == "" || files.Slug(p.Name) != p.Name {
		return fmt.Errorf("%w: its name %q is not a file's", ErrSettings, p.Name)
	}
	if len(p.Cells) == 0 {
		return fmt.Errorf("%w: %s has no cells", ErrSettings, p.Name)
	}
	seen := map[Cell]bool{}
	for _, c := range p.Cells {
		if seen[c] {
			return fmt.Errorf("%w: %s has the cell %v twice", ErrSettings, p.Name, c)
		}
		seen[c] = true
	}
	return nil
}
