// Horizon teaches the embedded generator to put the horizon on a red line, and
// proves it on prompts and seeds that it never saw:
//
//	go run ./examples/horizon
//	go run ./examples/horizon -line 0.3,0.4,0.6,0.7
//	go run ./examples/horizon -hack -out out/horizon-hack   # reward hacking, as a warning
//
// The line is part of the question: it lies over each generated picture when the
// verifier is asked whether the horizon is on it. The generator never sees it, and
// afterwards neither line nor verifier is needed. No caption can ask for a row, so
// there is no prompt-only control here; before is the generator without adapter.
package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

func main() {
	lines := show.Floats{0.3}
	flag.Var(&lines, "line", "row of the line as a share of the height; several, with commas, are distilled one by one")
	show.Pocket("horizon", func(ctx context.Context, run *show.Run) error { return horizon(ctx, run, lines) })
}

func horizon(ctx context.Context, run *show.Run, lines []float64) error {
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
	for _, row := range lines {
		if err := teach(ctx, run, dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, row); err != nil {
			return err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil
}

// teach distils one line and shows what came of it.
func teach(ctx context.Context, run *show.Run, task dualprocess.Task, row float64) error {
	line, err := run.Overlay(overlay.Solid{Picture: overlay.HorizonLine{Row: row}})
	if err != nil {
		return err
	}
	task.Questions = []dualprocess.Question{{
		Text: "Does the horizon lie on the red line?", Answer: "Yes", Overlay: line,
		Against: "No", AgainstWeight: 0.1, // goes on pulling where the verifier is nearly certain
	}}
	task.Prompts = []string{
		"a meadow by day", "a desert by day with a tree", "a sea at sunset", "a snowfield by day with a house",
		"a meadow at night with mountains", "a desert at night", "a sea by day with clouds", "a snowfield at sunset with a tree",
	}
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	task.LearningRate, task.Beta2 = 3e-3, 0.99
	task.Updates, task.Batch = 100, 14
	task.WarmUp, task.Decay, task.DecayTo = 10, 40, 0.1
	task.EndStep = 6 // where the horizon lies is settled early; later steps only paint
	task.Drift = 0.1 // holds the pictures to the base model's: P(answer) alone can be had with ruined ones

	control := run.Control(fmt.Sprintf("line at %g", row), task, show.Horizon(row), show.Subject(), show.Palette())
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}

	unseen := run.Unseen("a meadow at sunset with a house", "a desert by day with mountains", "a sea at night", "a snowfield by day with clouds")
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: unseen, Seeds: run.Seeds(), Batch: 16, Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(show.Group{Name: "unseen prompts and seeds", Ratings: ratings})
}
