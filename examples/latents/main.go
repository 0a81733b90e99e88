// Latents sets two ways of spending the same gradient side by side, as the paper's
// Table 2 does: moving the latents of some seeds, or the generator's weights. Both
// fit the seeds they were given. Then fresh seeds, and other prompts, show what was
// learnt: of the latents the mean offset is all that can be carried over.
//
//	go run ./examples/latents
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

const row = 0.35 // of the line on which the horizon shall lie

func main() { show.Pocket("latents", latents) }

func latents(ctx context.Context, run *show.Run) error {
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
	line, err := run.Overlay(overlay.Solid{Picture: overlay.HorizonLine{Row: row}})
	if err != nil {
		return err
	}
	control := run.Control("latents and weights", dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v,
		Prompts:   []string{"a meadow by day with a tree"},
		Questions: []dualprocess.Question{{Text: "Does the horizon lie on the red line?", Answer: "Yes", Overlay: line}},
		Seeds:     []int64{1, 2, 3, 4, 5, 6, 7, 8},
		Adapter:   lora.Config{Rank: 8, Init: lora.FanIn}, Weight: 1,
		LearningRate: 2e-3, Beta2: 0.99, WarmUp: 10, Decay: 40, DecayTo: 0.1,
		Updates: 100, Batch: 8, EndStep: 6, Drift: 0.1,
	}, show.Horizon(row), show.Subject(), show.Palette())
	return compare(ctx, run, control)
}

// compare optimises both ways and shows what each does to pictures.
func compare(ctx context.Context, run *show.Run, control *show.Control) error {
	task := control.Task
	own, unseen := task.Prompts[:1], run.Unseen("a desert at sunset", "a sea by day with clouds")
	adapter, err := control.Keep(dualprocess.Distill(ctx, task))
	if err != nil {
		return err
	}
	found, err := dualprocess.OptimizeLatents(ctx, dualprocess.LatentTask{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier,
		Prompt: own[0], Questions: task.Questions, Seeds: task.Seeds, Updates: task.Updates,
		Unroll:   task.Generator.Steps(), // all of them: the gradient is exact
		Progress: control.Progress("latents"), Status: control.Status(),
	})
	if err != nil && ctx.Err() == nil {
		return err
	}

	groups, err := ofWeights(run.Finish(ctx), run, control, adapter, own, unseen)
	if err != nil {
		return err
	}
	if found != nil && found.After != nil { // else it was interrupted
		more, err := ofLatents(run.Finish(ctx), run, task, found, own, unseen)
		if err != nil {
			return err
		}
		groups = append(groups, more...)
		costs(run, found, control.Trained(), adapter)
	}
	return control.Report(groups...)
}

// costs prints the paper's Table 2 and what became of it here.
func costs(run *show.Run, found *dualprocess.LatentResult, trained time.Duration, adapter *lora.Adapter) {
	n := time.Duration(len(found.Seeds))
	each := func(d time.Duration) string { return fmt.Sprintf("%.3f s", (d / n).Seconds()) }
	run.Table("costs", []string{"", "latents", "weights"},
		[]string{"optimisation", fmt.Sprintf("%.1f s for %d pictures", found.Elapsed.Seconds(), n), fmt.Sprintf("%.1f s for all pictures", trained.Seconds())},
		[]string{"a new picture", each(found.Elapsed), each(found.SampleTime)},
		[]string{"what is optimised", fmt.Sprint(found.Latents.Shape().Dimensions), adapter.String()},
	)
}
