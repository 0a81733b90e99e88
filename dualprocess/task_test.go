package dualprocess_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// plain hides what toyGenerator has beyond Generator.
type plain struct{ dualprocess.Generator }

// spoilt has, per field, something that makes a task invalid.
var spoilt = map[string]func(*dualprocess.Task){
	"Runtime":             func(k *dualprocess.Task) { k.Runtime = nil },
	"Generator":           func(k *dualprocess.Task) { k.Generator = nil },
	"Verifier":            func(k *dualprocess.Task) { k.Verifier = nil },
	"Prompts":             func(k *dualprocess.Task) { k.Prompts = nil },
	"Questions":           func(k *dualprocess.Task) { k.Questions = nil },
	"Questions[0].Text":   func(k *dualprocess.Task) { k.Questions = []dualprocess.Question{{Answer: "Yes"}} },
	"Questions[0].Answer": func(k *dualprocess.Task) { k.Questions = []dualprocess.Question{{Text: "red"}} },
	"Questions[0].Suffix": func(k *dualprocess.Task) {
		k.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Bare: true, Suffix: " ?"}}
	},
	"Adapter":         func(k *dualprocess.Task) { k.Start = &lora.Adapter{} },
	"Weight":          func(k *dualprocess.Task) { k.Weight = -1 },
	"LearningRate":    func(k *dualprocess.Task) { k.LearningRate = math.NaN() },
	"WarmUp":          func(k *dualprocess.Task) { k.WarmUp = 31 },
	"Decay":           func(k *dualprocess.Task) { k.WarmUp, k.Decay = 10, 21 },
	"DecayTo":         func(k *dualprocess.Task) { k.DecayTo = 1.5 },
	"Updates":         func(k *dualprocess.Task) { k.Updates = -1 },
	"Batch":           func(k *dualprocess.Task) { k.Batch = -1 },
	"Accumulate":      func(k *dualprocess.Task) { k.Accumulate = -1 },
	"Clip":            func(k *dualprocess.Task) { k.Clip = math.Inf(1) },
	"Beta1":           func(k *dualprocess.Task) { k.Beta1 = 1 },
	"Beta2":           func(k *dualprocess.Task) { k.Beta2 = -.1 },
	"Epsilon":         func(k *dualprocess.Task) { k.Epsilon = -1 },
	"WeightDecay":     func(k *dualprocess.Task) { k.WeightDecay = -1 },
	"Seeds":           func(k *dualprocess.Task) { k.Seeds = []int64{} },
	"SeedCount":       func(k *dualprocess.Task) { k.Seeds, k.SeedCount = []int64{1}, 2 },
	"SeedOrder":       func(k *dualprocess.Task) { k.SeedOrder = 7 },
	"Timesteps":       func(k *dualprocess.Task) { k.Timesteps, k.Generator = dualprocess.Renoise, plain{k.Generator} },
	"FirstStep":       func(k *dualprocess.Task) { k.FirstStep = 4 },
	"EndStep":         func(k *dualprocess.Task) { k.EndStep = 5 },
	"Drift":           func(k *dualprocess.Task) { k.Drift = -1 },
	"Preserve":        func(k *dualprocess.Task) { k.Preserve.Prompts = []string{"sea"} },
	"Preserve.Weight": func(k *dualprocess.Task) { k.Preserve = dualprocess.Preserve{Prompts: []string{"sea"}, Weight: -1} },
	"StopAt.P":        func(k *dualprocess.Task) { k.StopAt.P = 1 },
	"StopAt.Window":   func(k *dualprocess.Task) { k.StopAt = dualprocess.StopAt{Seeds: []int64{1}, Window: 3} },
	"StopAt.Seeds":    func(k *dualprocess.Task) { k.StopAt.Seeds = []int64{} },
	"StopAt.Every":    func(k *dualprocess.Task) { k.StopAt.Every = -1 },
	"StopAt.Hacking":  func(k *dualprocess.Task) { k.StopAt = dualprocess.StopAt{Seeds: []int64{1}, Hacking: true} },
	"Questions[0].Against": func(k *dualprocess.Task) {
		k.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Against: "Yes"}}
	},
	"Questions[0].AgainstWeight": func(k *dualprocess.Task) {
		k.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Against: "No", AgainstWeight: 2}}
	},
	"Questions[1].AgainstWeight": func(k *dualprocess.Task) {
		k.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes"}, {Text: "red", Answer: "Yes", AgainstWeight: .5}}
	},
	"Unroll":         func(k *dualprocess.Task) { k.Unroll = 5 },
	"StepWeights":    func(k *dualprocess.Task) { k.StepWeights = []float64{1, 2, 3} },
	"StepWeights[1]": func(k *dualprocess.Task) { k.StepWeights = []float64{1, -2, 3, 4} },
	"Anchor":         func(k *dualprocess.Task) { k.Anchor.Every = 3 },
	"Anchor.Weight":  func(k *dualprocess.Task) { k.Anchor.Weight = -1 },
	"Anchor.Every":   func(k *dualprocess.Task) { k.Anchor = dualprocess.Anchor{Weight: 1, Every: -1} },
	"Judge":          func(k *dualprocess.Task) { k.Judge.Scorer = other },
	"Judge.Verifier": func(k *dualprocess.Task) { judged(k).Verifier = k.Verifier },
	"Judge.Scorer":   func(k *dualprocess.Task) { judged(k).Scorer = (*eye)(nil) },
	"Judge.Gap":      func(k *dualprocess.Task) { judged(k).Gap = -1 },
	"Judge.Questions[0].Text": func(k *dualprocess.Task) {
		judged(k).Questions = []dualprocess.Question{{Answer: "Yes"}}
	},
	"Bounds":         func(k *dualprocess.Task) { k.Bounds.Dark = .1 },
	"Bounds.Dark":    func(k *dualprocess.Task) { judged(k); k.Bounds.Dark = 2 },
	"Bounds.Edges":   func(k *dualprocess.Task) { judged(k); k.Bounds.Edges = .9 },
	"Bounds.Spread":  func(k *dualprocess.Task) { judged(k); k.Bounds.Spread = 2 },
	"Bounds.Entropy": func(k *dualprocess.Task) { judged(k); k.Bounds.Entropy = math.NaN() },
}

// judged gives a task a judge, which it returns, and the one seed that takes.
func judged(k *dualprocess.Task) *dualprocess.Judge {
	k.StopAt.Seeds, k.Judge.Scorer = []int64{1}, other
	return &k.Judge
}

func TestTaskErrorsNameTheField(t *testing.T) {
	w := newToy(t, "go")
	for field, spoil := range spoilt {
		t.Run(field, func(t *testing.T) {
			task := w.task()
			spoil(&task)
			got, err := dualprocess.Distill(background, task)
			assert.Nil(t, got)
			assert.ErrorIs(t, err, dualprocess.ErrTask)
			assert.ErrorContains(t, err, ": "+field+": ")
		})
	}
	assert.Zero(t, w.g.predicts.Load(), "checked before any work")
}

func TestUnknownTargetIsAnError(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Adapter.Targets = []string{"nowhere"}
	_, err := dualprocess.Distill(background, task)
	assert.ErrorIs(t, err, dualprocess.ErrTask)
	assert.ErrorContains(t, err, "nowhere")
}

// presetter is a generator with suggestions.
type presetter struct {
	*toyGenerator
	suggests dualprocess.Preset
}

func (p presetter) Preset() dualprocess.Preset { return p.suggests }

func TestPresetFillsWhatIsLeftOpen(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.LearningRate, task.Updates = 0, 12
	task.Generator = presetter{w.g, dualprocess.Preset{LearningRate: .007, Targets: []string{"out"}, FirstStep: 1, EndStep: 3, Prefix: "unet"}}
	a, updates := distil(t, task)
	require.Len(t, a.Layers(), 1)
	assert.Equal(t, "unet", a.Prefix())
	assert.Equal(t, "out", a.Layers()[0].Name)
	for _, u := range updates {
		assert.Equal(t, .007, u.LearningRate)
		assert.Contains(t, []int{1, 2}, u.Step)
	}
	task.LearningRate, task.FirstStep, task.EndStep, task.Adapter.Targets = .001, 0, 1, []string{"mix"}
	task.Adapter.Prefix = "transformer"
	a, updates = distil(t, task)
	assert.Equal(t, "mix", a.Layers()[0].Name)
	assert.Equal(t, "transformer", a.Prefix())
	assert.Equal(t, .001, updates[0].LearningRate)
	assert.Zero(t, updates[11].Step)
}
