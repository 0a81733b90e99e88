// Commonsense teaches the embedded generator what it should know of itself: that
// a lake in winter is frozen and a tree bare, and that a lamp at night and a house's
// windows are lit.
//
//	go run ./examples/commonsense
//	go run ./examples/commonsense -hack -out out/commonsense-hack   # no guard: summer freezes too
//
// What must not change, summer lakes and trees, lamps and houses by day, is preserved
// during the training and stands in the table. So do captions that ask for ice, bareness
// and light in words, without adapter (before) and with it (after): the prompt-only control.
package main

import (
	"context"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

func main() { show.Pocket("commonsense", commonsense) }

// sense is a piece of common sense: under the condition the question is answered
// with yes, otherwise all stays as it is.
type sense struct {
	name, question  string
	always, never   string   // prompts of the condition and of its opposite
	asked           string   // the same in words
	trained, unseen []string // what else is in the pictures
	measure         show.Gauge
}

// senses are what is taught, one after the other.
var senses = []sense{{
	name: "frozen lake", question: "Is the lake frozen?",
	always: "a lake in winter", never: "a lake in summer", asked: "a frozen lake in winter",
	trained: []string{"", " with a tree", " with a boat"}, unseen: []string{" with a house", " with mountains"},
	measure: show.Ice(),
}, {
	name: "lit lamp", question: "Is the lamp on?",
	always: "a lamp at night", never: "a lamp by day", asked: "a lamp that is on at night",
	trained: []string{"", " with a window", " with a cat"}, unseen: []string{" with a chair", " with a plant"},
	measure: show.Light(),
}, {
	name: "bare tree", question: "Is the tree bare?",
	always: "a tree in winter", never: "a tree in summer", asked: "a bare tree in winter",
	trained: []string{"", " with a bench"}, unseen: []string{" with a bird", " with a fence"},
	measure: show.Leaves(),
}, {
	name: "lit windows", question: "Are the windows lit?",
	always: "a house at night", never: "a house by day", asked: "a house that is lit at night",
	trained: []string{"", " with a car"}, unseen: []string{" with a bench", " with a fence"},
	measure: show.Windows(),
}}

func commonsense(ctx context.Context, run *show.Run) error {
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
	for _, s := range senses {
		if err := teach(ctx, run, dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, s); err != nil {
			return err
		}
		if ctx.Err() != nil || run.Short() {
			break
		}
	}
	return nil
}

// teach distils one piece of common sense and shows what came of it.
func teach(ctx context.Context, run *show.Run, task dualprocess.Task, s sense) error {
	task.Questions = []dualprocess.Question{{Text: s.question, Answer: "Yes"}}
	task.Prompts = each(s.always, s.trained)
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	task.LearningRate, task.Beta2 = 1.5e-3, 0.99
	task.Updates, task.Batch, task.EndStep = 100, 6, 9
	task.WarmUp, task.Decay, task.DecayTo = 10, 40, 0.1
	task.Drift = 0.1
	task.Preserve = dualprocess.Preserve{Prompts: each(s.never, s.trained), Weight: 10}

	control := run.Control(s.name, task, s.measure, show.Subject())
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}
	unseen := run.Unseen(each(s.always, s.unseen)...)
	opposite, asked := each(s.never, s.unseen), each(s.asked, s.unseen)
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: slices.Concat(unseen, opposite, asked), Seeds: run.Seeds(), Batch: 16, Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(
		show.Group{Name: "unseen prompts and seeds", Ratings: show.Of(ratings, unseen...)},
		show.Group{Name: "should stay: " + s.never, Ratings: show.Of(ratings, opposite...), Stays: true},
		show.Group{Name: "asked in words: " + s.asked, Ratings: show.Of(ratings, asked...)},
	)
}

// each puts a beginning before every ending.
func each(beginning string, endings []string) []string {
	var prompts []string
	for _, ending := range endings {
		prompts = append(prompts, beginning+ending)
	}
	return prompts
}
