// Lineweight teaches the embedded generator to draw with thick lines, and with
// thin ones, as a sample line at the bottom of the picture shows:
//
//	go run ./examples/lineweight
//	go run ./examples/lineweight -hack -out out/lineweight-hack   # reward hacking, as a warning
//
// No caption of the pocket world speaks of line weight, so there is no prompt-only
// control; before is the generator without adapter. Widths are in pixels of a
// picture of 64.
package main

import (
	"context"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

func main() { show.Pocket("lineweight", lineweight) }

// weight is a line weight to distil.
type weight struct {
	name  string
	width float64 // of the sample line
	rate  float64 // of learning
	drift float64
}

func lineweight(ctx context.Context, run *show.Run) error {
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	g, err := generator.Open(ctx, rt, generator.Options{})
	if err != nil {
		return err
	}
	v, err := verifier.Open(ctx, rt, verifier.Options{})
	if err != nil {
		return err
	}
	for _, w := range []weight{
		{name: "thick", width: 4.8, rate: 3e-3, drift: 0.15},
		{name: "thin", width: 1.2, rate: 2e-3, drift: 0.25},
	} {
		if err := teach(ctx, run, dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, w); err != nil {
			return err
		}
		if ctx.Err() != nil || run.Short() {
			break
		}
	}
	return nil
}

// teach distils one line weight and shows what came of it.
func teach(ctx context.Context, run *show.Run, task dualprocess.Task, w weight) error {
	sample, err := run.Overlay(overlay.Solid{Picture: overlay.LineSample{Width: w.width}})
	if err != nil {
		return err
	}
	task.Questions = []dualprocess.Question{{Text: "Are the lines as thick as the sample?", Answer: "Yes", Overlay: sample}}
	task.Prompts = []string{
		"a line drawing of a house in black ink", "a line drawing of a fish in blue ink",
		"a line drawing of a square in red ink", "a line drawing of a cross in black ink",
	}
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	task.LearningRate, task.Beta2 = w.rate, 0.99
	task.Updates, task.Batch, task.EndStep = 100, 10, 9
	task.WarmUp, task.Decay, task.DecayTo = 10, 40, 0.1
	task.Drift = w.drift

	control := run.Control(w.name, task, show.Stroke(w.name == "thin"), show.Subject())
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}
	unseen := run.Unseen("a line drawing of a cup in blue ink", "a line drawing of a boat in black ink",
		"a line drawing of a triangle in red ink", "a line drawing of a circle in blue ink")
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: unseen, Seeds: run.Seeds(), Batch: 16, Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(show.Group{Name: "unseen prompts and seeds", Ratings: ratings})
}
