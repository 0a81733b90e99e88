// Composition teaches the embedded generator to arrange a landscape as a sketch says:
// the horizon on the red line, the tree on the blue line, and the field in the red box.
//
//	go run ./examples/composition
//	go run ./examples/composition -hack -out out/composition-hack   # reward hacking, as a warning
//
// The sketch lies over each picture when the verifier is asked three questions, one for
// each part. Two sketches are distilled, one after the other. No caption can ask for a
// place, so there is no prompt-only control; before is the generator without adapter.
//
// Real VLMs get notes drawn on the picture, as in the paper: Area.Note and Line.Note of
// overlay.Composition say what each part stands for ("this line is a tree"). On the pocket
// world's 64 pixels they could not be read, so that colours tell the parts apart here.
package main

import (
	"context"
	"image/color"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/study/pocket"
)

func main() { show.Pocket("composition", composition) }

// arrangement is a composition to distil.
type arrangement struct {
	name        string
	row, column float64      // of the horizon and of the tree
	box         overlay.Area // of the field
}

var arrangements = []arrangement{
	{"tree on the right", .45, .70, overlay.Area{Min: overlay.Point{X: .08, Y: .64}, Max: overlay.Point{X: .55, Y: .84}}},
	{"tree on the left", .55, .30, overlay.Area{Min: overlay.Point{X: .45, Y: .66}, Max: overlay.Point{X: .92, Y: .86}}},
}

// sketch draws the arrangement as the small verifier has seen compositions: without
// notes, in these colours and widths, the area as a red outline.
func (a arrangement) sketch() overlay.Composition {
	const width = 1.5
	red, blue := color.NRGBA{R: 230, A: 255}, color.NRGBA{R: 30, G: 60, B: 220, A: 255}
	return overlay.Composition{
		Areas: []overlay.Area{a.box},
		Lines: []overlay.Line{
			{From: overlay.Point{Y: a.row}, To: overlay.Point{X: 1, Y: a.row}, Width: width, Color: red},
			{From: overlay.Point{X: a.column}, To: overlay.Point{X: a.column, Y: 1}, Width: width, Color: blue},
		},
	}
}

// Prompts, and others that are evaluated with.
var (
	trained = []string{
		"a meadow by day with a tree and a field", "a meadow at sunset with a tree and a field",
		"a desert at sunset with a tree and a field", "a desert at night with a tree and a field",
		"a sea by day with a tree and a field", "a sea at night with a tree and a field",
		"a snowfield by day with a tree and a field", "a snowfield at night with a tree and a field",
	}
	unseen = []string{
		"a meadow at night with a tree and a field", "a desert by day with a tree and a field",
		"a sea at sunset with a tree and a field", "a snowfield at sunset with a tree and a field",
	}
)

// settings are those of the training, the same for all arrangements.
func settings(task dualprocess.Task) dualprocess.Task {
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	task.LearningRate, task.Beta2 = 5e-3, 0.99
	task.Updates, task.Batch = 100, 14
	task.WarmUp, task.Decay, task.DecayTo = 10, 40, 0.1
	task.EndStep = 6 // where things lie is settled early; later steps only paint
	task.Drift = 0.2
	task.Anchor = dualprocess.Anchor{Weight: 0.2} // three questions at once pull to and fro at this rate
	return task
}

func composition(ctx context.Context, run *show.Run) error {
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	models, _, err := pocket.Open(ctx, rt) // closed with the runtime
	if err != nil {
		return err
	}
	for _, a := range arrangements {
		if err := teach(ctx, run, settings(models), a); err != nil {
			return err
		}
		if ctx.Err() != nil || run.Short() {
			break
		}
	}
	return nil
}

// teach distils one arrangement and shows what came of it.
func teach(ctx context.Context, run *show.Run, task dualprocess.Task, a arrangement) error {
	sketch, err := run.Overlay(overlay.Solid{Picture: a.sketch()})
	if err != nil {
		return err
	}
	// Against another answer each question goes on pulling where it is nearly certain: else the first one that is holds still
	// where the others are not yet. At its full weight the pictures suffer.
	for _, text := range []string{"Does the horizon lie on the red line?", "Is the tree on the blue line?", "Is the field in the red box?"} {
		task.Questions = append(task.Questions, dualprocess.Question{Text: text, Answer: "Yes", Against: "No", AgainstWeight: 0.25, Overlay: sketch})
	}
	task.Prompts = trained

	control := run.Control(a.name, task, show.Composed(a.row, a.column, a.box),
		show.Horizon(a.row), show.Column(a.column), show.Overlap(a.box), show.Subject())
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: run.Unseen(unseen...), Seeds: run.Seeds(), Batch: 16, Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(show.Group{Name: "unseen prompts and seeds", Ratings: ratings})
}
