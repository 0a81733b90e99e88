// Mine uses reward hacking to find out what a verifier gets wrong, as the paper
// suggests: it lets the embedded generator please the embedded verifier without any
// guard, keeps the pictures on the way about which the verifier and a second opinion
// disagree, and writes them as a small data set for training the verifier further.
//
//	go run ./examples/mine
//	go run ./examples/mine -second Qwen2.5-VL-7B-Instruct   # a second verifier, of any family
//
// The second opinion is the measurement on the picture unless -second names a folder
// with a vision-language model. A first training makes pictures that the verifier shall
// say Yes to; a second goes on from there and makes pictures that it shall say No to.
//
// For every picture there is the PNG that the verifier saw, with the overlay, and one
// line in mined.jsonl: question, the answer of the second opinion as the label, what the
// verifier said and how sure both were. A measurement that cannot tell labels nothing. A
// second verifier may be the one that is wrong: look at its labels. The defaults found 38
// pictures of 2304, in all of which a person, too, sees the horizon off the line; of 1585
// the measurement was not sure enough to say anything.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
)

func main() {
	second := flag.String("second", "", "folder of a second verifier; none = the measurement on the picture")
	row := flag.Float64("line", 0.3, "row of the line as a share of the height")
	show.Pocket("mine", func(ctx context.Context, run *show.Run) error { return mine(ctx, run, *row, *second) })
}

func mine(ctx context.Context, run *show.Run, row float64, second string) error {
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	g, err := generator.Open(ctx, rt, generator.Options{})
	if err != nil {
		return err
	}
	v, err := pocket.Open(ctx, rt, pocket.Options{})
	if err != nil {
		return err
	}
	line, err := run.Overlay(overlay.Solid{Picture: overlay.HorizonLine{Row: row}})
	if err != nil {
		return err
	}
	found := &collection{line: line}
	if found.ask, err = secondOpinion(ctx, rt, row, second); err != nil {
		return err
	}
	var adapter *lora.Adapter
	for _, answer := range []string{"Yes", "No"} {
		task := task(dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, line, answer, run.Seeds())
		if adapter != nil {
			task.Start, task.Adapter = adapter, lora.Config{}
		}
		if adapter, err = found.please(ctx, run, task, show.Horizon(row)); err != nil {
			return err
		}
		if ctx.Err() != nil || run.Short() {
			break
		}
	}
	run.Table("mined", []string{"verifier", "second opinion", "pictures"},
		[]string{"Yes", "No", fmt.Sprint(found.count("No"))}, []string{"No", "Yes", fmt.Sprint(found.count("Yes"))},
		[]string{"looked at", "", fmt.Sprint(found.looked)}, []string{"of these not to be told", "", fmt.Sprint(found.unclear)})
	return errors.Join(found.write(run.Folder()), run.Save())
}

// please distils and looks at the pictures on the way, and before and after.
func (c *collection) please(ctx context.Context, run *show.Run, task dualprocess.Task, measure show.Gauge) (*lora.Adapter, error) {
	control := run.Control("pictures for "+task.Questions[0].Answer, task, measure, show.Subject())
	task = control.Task
	task.Snapshots.Do = func(s *dualprocess.Snapshot) error {
		return c.look(ctx, task.Questions[0], s.Update.Number, s.Ratings...)
	}
	adapter, err := control.Keep(dualprocess.Distill(ctx, task))
	if err != nil {
		return nil, err
	}
	ctx = run.Finish(ctx)
	ratings, err := dualprocess.Evaluate(ctx, dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: task.Questions, Prompts: task.Prompts, Seeds: task.Snapshots.Seeds, Batch: 16, Progress: control.Watch(),
	})
	if err != nil {
		return nil, err
	}
	for _, r := range ratings {
		if r.Weight == 0 { // the others have been looked at
			if err := c.look(ctx, task.Questions[0], 0, r); err != nil {
				return nil, err
			}
		}
	}
	return adapter, control.Report(show.Group{Name: "the verifier's wish, without a guard", Ratings: ratings})
}

// task makes pictures that the verifier gives an answer to, whatever becomes of them:
// the rate is twice what is good for them, and nothing guards. At a far higher one there
// is soon nothing left to be measured.
func task(task dualprocess.Task, line overlay.Solid, answer string, seeds []int64) dualprocess.Task {
	task.Questions = []dualprocess.Question{{Text: "Does the horizon lie on the red line?", Answer: answer, Overlay: line}}
	task.Prompts = []string{
		"a meadow by day", "a desert by day with a tree", "a sea at sunset", "a snowfield by day with a house",
		"a meadow at night", "a desert at night", "a sea by day with clouds", "a snowfield at sunset with a tree",
	}
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	task.LearningRate, task.Beta2 = 0.006, 0.99
	task.Updates, task.Batch, task.EndStep = 24, 8, 6
	task.Snapshots = dualprocess.Snapshots{Every: 3, Seeds: seeds} // most is found on the way
	return task
}
