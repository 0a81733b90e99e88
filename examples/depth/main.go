// Depth teaches the embedded generator which of two objects is closer to the
// viewer: the one at point A or the one at point B.
//
//	go run ./examples/depth
//	go run ./examples/depth -hack -out out/depth-hack   # reward hacking, as a warning
//
// The points are drawn over the pictures for the verifier to see. A second
// question guards against the cheapest answer, to drop an object. No caption of
// the pocket world speaks of depth, so there is no prompt-only control; before is
// the generator without adapter.
package main

import (
	"context"
	"image/color"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

func main() { show.Pocket("depth", depth) }

func depth(ctx context.Context, run *show.Run) error {
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
	for _, closer := range []string{"A", "B"} {
		if err := teach(ctx, run, dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, closer); err != nil {
			return err
		}
		if ctx.Err() != nil || run.Short() {
			break
		}
	}
	return nil
}

// teach distils one order, in which the object at A, the left one, or at B is
// closer, and shows what came of it.
func teach(ctx context.Context, run *show.Run, task dualprocess.Task, closer string) error {
	// The small verifier tells the points apart by their colours, too: A is red, B blue.
	points := overlay.Points{A: overlay.Point{X: 0.28, Y: 0.6}, B: overlay.Point{X: 0.72, Y: 0.6}, ColorB: color.NRGBA{R: 30, G: 60, B: 220, A: 255}}
	labels, err := run.Overlay(overlay.Solid{Picture: points})
	if err != nil {
		return err
	}
	text := map[string]string{"A": "Is A closer than B?", "B": "Is B closer than A?"}[closer]
	task.Questions = []dualprocess.Question{
		{Text: text, Answer: "Yes", Overlay: labels},
		{Text: "Are there two objects in the picture?", Answer: "Yes"},
	}
	task.Prompts = []string{
		"a red ball and a blue box on a table", "a green cone and a yellow ball on a floor", "a purple box and an orange cone on a beach",
		"a yellow cone and a red box on a floor", "a blue ball and a green ball on a beach", "an orange box and a purple cone on a table",
		"a yellow cone and a purple cone on a beach", "a green box and an orange box on a floor",
	}
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	task.LearningRate, task.Beta2 = 2e-3, 0.99
	task.Updates, task.Batch, task.EndStep = 100, 10, 9
	task.WarmUp, task.Decay, task.DecayTo = 10, 40, 0.1
	task.Drift = 1

	control := run.Control(closer+" closer", task, show.Order(closer == "A"), show.Gap(closer == "A"), show.Subject())
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}
	unseen := run.Unseen("a blue cone and a red ball on a table", "a yellow box and a purple ball on a beach",
		"an orange ball and a green box on a floor", "a red cone and an orange cone on a beach")
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: unseen, Seeds: run.Seeds(), Batch: 16, Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(show.Group{Name: "unseen prompts and seeds", Ratings: ratings})
}
