// Palette teaches the embedded generator to paint in the colours of a palette that lies
// at the bottom of the picture when the verifier is asked: dark academia, pastel, retro.
//
//	go run ./examples/palette
//	go run ./examples/palette -hack -out out/palette-hack   # reward hacking, as a warning
//
// Landscapes, rooms and drawings are trained together. Colours are measured by their
// distance from the nearest of the palette's in CIELAB, and what the pictures show by
// their edges before and after: a flat picture in the right colours is not what was asked
// for. Captions can ask for a palette, too ("a sea at night in pastel"), which the report
// compares; the training's captions do not. Asked so, the generator draws most landscapes
// anew, and what is distilled does that to some of them, which the report says.
package main

import (
	"context"
	"image/color"
	"slices"
	"strings"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/study/pocket"
)

func main() { show.Pocket("palette", palette) }

// look is a palette to distil.
type look struct {
	name   string
	colors []color.Color
	drift  float64 // the colours of retro are the farthest from those of any picture
}

var looks = []look{
	{"dark academia", overlay.DarkAcademia(), 0.3},
	{"pastel", overlay.Pastel(), 0.28},
	{"retro", overlay.Retro(), 0.2},
}

const question = "Do the colours of this image match the palette at the bottom?"

// Prompts of all three kinds, and others of them that are evaluated with.
var (
	trained = []string{
		"a meadow by day with a house", "a sea at sunset with clouds", "a desert at night with mountains", "a snowfield by day with a tree",
		"a red ball and a blue box on a table", "a green cone and a yellow ball on a floor", "a purple box and an orange cone on a beach",
		"a line drawing of a fish in blue ink", "a line drawing of a house in black ink", "a line drawing of a circle in red ink",
	}
	unseen = []string{
		"a meadow at sunset with a tree", "a sea by day with mountains",
		"a blue cone and a green ball on a floor", "a yellow box and a red cone on a beach",
		"a line drawing of a boat in black ink", "a line drawing of a cup in red ink",
	}
)

// settings are those of the training, the same for all palettes. The adapter is of the layer through which the words together
// act on the whole picture, and of what attention passes on: enough to paint in other colours, and little to draw something
// else with.
func settings(task dualprocess.Task) dualprocess.Task {
	task.Adapter, task.Weight = lora.Config{Rank: 8, Init: lora.FanIn, Targets: []string{"text_embedder.pool", "to_v"}}, 1
	task.LearningRate, task.Beta2 = 5e-3, 0.99
	task.Updates, task.Batch = 100, 14
	task.WarmUp, task.Decay, task.DecayTo = 10, 40, 0.1
	return task
}

func palette(ctx context.Context, run *show.Run) error {
	rt, err := backends.Open(ctx, run.Backend())
	if err != nil {
		return err
	}
	defer rt.Close()
	models, _, err := pocket.Open(ctx, rt) // closed with the runtime
	if err != nil {
		return err
	}
	for _, l := range looks {
		if err := teach(ctx, run, settings(models), l); err != nil {
			return err
		}
		if ctx.Err() != nil || run.Short() {
			break
		}
	}
	return nil
}

// questions are whether the colours match the palette, and, with little weight, that they match neither of the others: brown
// alone nearly matches dark academia and retro, and would be had first.
func questions(run *show.Run, l look) ([]dualprocess.Question, error) {
	strip, err := run.Overlay(overlay.Solid{Picture: overlay.Palette{Colors: l.colors}})
	if err != nil {
		return nil, err
	}
	questions := []dualprocess.Question{{Text: question, Answer: "Yes", Against: "No", AgainstWeight: 0.25, Overlay: strip}}
	for _, other := range looks {
		if other.name != l.name {
			strip := overlay.Solid{Picture: overlay.Palette{Colors: other.colors}}
			questions = append(questions, dualprocess.Question{Text: question, Answer: "No", Weight: 0.2, Overlay: strip})
		}
	}
	return questions, nil
}

// teach distils one palette and shows what came of it.
func teach(ctx context.Context, run *show.Run, task dualprocess.Task, l look) error {
	var err error
	if task.Questions, err = questions(run, l); err != nil {
		return err
	}
	task.Prompts, task.Drift = trained, l.drift

	control := run.Control(l.name, task, show.PaletteDistance(l.name), show.NearestPalette(l.name), show.Structure(), show.StructureKept())
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}
	prompts := run.Unseen(unseen...)
	var asked []string
	for _, p := range prompts {
		asked = append(asked, p+" in "+l.name)
	}
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: slices.Concat(prompts, asked), Seeds: run.Seeds(), Batch: 16, Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(
		show.Group{Name: "unseen prompts and seeds", Ratings: show.Of(ratings, prompts...)},
		show.Group{
			Name: "asked in words: in " + l.name, Ratings: show.Of(ratings, asked...),
			Plain: func(prompt string) string { return strings.TrimSuffix(prompt, " in "+l.name) },
		},
	)
}
