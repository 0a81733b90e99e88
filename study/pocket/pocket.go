// Package pocket has the studies of the paper's tables ready for the models that the
// library carries in itself: prompts and questions in their words, settings that were
// measured on them, and measurements on the picture that ask no model. A study takes
// minutes on a laptop, and its short form seconds.
//
//	task, done, err := pocket.Open(ctx, rt)
//	defer done()
//	report, err := study.Run(ctx, pocket.Horizon(task), study.Options{Folder: "out/table6"})
package pocket

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	generator "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/distance"
	verifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// label is that of the embedded models in reports.
const label = "pocket, pocket"

// Open opens both models. done closes them.
func Open(ctx context.Context, rt *backends.Runtime) (task dualprocess.Task, done func() error, err error) {
	g, err := generator.Open(ctx, rt, generator.Options{})
	if err != nil {
		return task, nil, err
	}
	v, err := verifier.Open(ctx, rt, verifier.Options{})
	if err != nil {
		return task, nil, errors.Join(err, g.Close())
	}
	return dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, func() error { return errors.Join(g.Close(), v.Close()) }, nil
}

// trained gives a task the settings that the embedded models are trained with.
func trained(t dualprocess.Task, rate float64, batch, lastStep int) dualprocess.Task {
	t.Adapter, t.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
	t.LearningRate, t.Beta2 = rate, 0.99
	t.Updates, t.Batch, t.EndStep = 100, batch, lastStep
	t.WarmUp, t.Decay, t.DecayTo = 10, 40, 0.1
	t.Drift = 0.1
	return t
}

// Commonsense is Table 1 by the embedded rules, judged by measuring the pictures.
func Commonsense(t dualprocess.Task) *study.Commonsense {
	return &study.Commonsense{
		Setup: study.Setup{Task: trained(t, 1.5e-3, 6, 9), Label: label},
		Rules: Rules(), Judge: Judge{}, Ask: described,
	}
}

// Reliability is Table 4 by the same rules and judge.
func Reliability(t dualprocess.Task) *study.Reliability {
	return &study.Reliability{Commonsense: *Commonsense(t)}
}

// Quality is Table 5 by the same rules: how far the pictures of Table 1's rows are from
// drawn ones that obey the rules, by the features of the verifier, which must be the
// embedded one.
func Quality(t dualprocess.Task) (*study.Quality, error) {
	tower, ok := t.Verifier.(study.Features)
	if !ok {
		return nil, fmt.Errorf("%w: %T has no features of pictures", study.ErrSettings, t.Verifier)
	}
	of := Commonsense(t)
	return &study.Quality{Real: obedient(of.Rules), Of: of, Distances: distance.Columns(tower)}, nil
}

// Latents is Table 2, with a line in a row; the example has it at 0.35.
func Latents(t dualprocess.Task, row float64) *study.Latents {
	t = trained(t, 2e-3, 8, 6)
	t.Seeds = []int64{1, 2, 3, 4, 5, 6, 7, 8}
	return &study.Latents{
		Setup:  study.Setup{Task: t, Label: label},
		Prompt: "a meadow by day with a tree", Unseen: []string{"a desert at sunset", "a sea by day with clouds"},
		Question: OnLine(row),
		Unroll:   t.Generator.Steps(), // all of them: the gradient is exact
		Gauge: func(img image.Image, _ string) float64 {
			at, found := Locate(img)
			if !found {
				return math.NaN()
			}
			return math.Abs(at - row)
		},
		GaugeName: "Distance from the line",
	}
}

// Horizon is Table 6. No caption of the pocket world can ask for a row.
func Horizon(t dualprocess.Task) *study.Horizon {
	return &study.Horizon{
		Setup:  study.Setup{Task: trained(t, 3e-3, 14, 6), Label: label},
		Locate: Locate, Question: OnLine,
		Prompts: []string{"a meadow by day with a tree", "a sea at sunset", "a desert at night"},
		Lines:   []float64{0.3, 0.4, 0.5, 0.6, 0.7},
		Expand:  func(string, float64) string { return "" },
	}
}

// OnLine asks in the embedded verifier's words whether the horizon is on a red line.
func OnLine(row float64) dualprocess.Question {
	return dualprocess.Question{
		Text: "Does the horizon lie on the red line?", Answer: "Yes",
		Overlay: overlay.Solid{Picture: overlay.HorizonLine{Row: row}},
		Against: "No", AgainstWeight: 0.1, // goes on pulling where the verifier is nearly certain
	}
}

// Locate measures the horizon of a landscape of the pocket world.
func Locate(img image.Image) (row float64, found bool) {
	row, sure := measuring.Horizon(world.FromImage(img))
	return row, sure >= measuring.HorizonSure
}
