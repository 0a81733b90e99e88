package dualprocess_test

import (
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// shift is the mean distance of a prompt's pictures from the base model's, in
// levels of 255.
func shift(t *testing.T, w *toy, a *lora.Adapter, prompt string) float64 {
	t.Helper()
	s, err := dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{Batch: 4})
	require.NoError(t, err)
	defer s.Close()
	base, err := s.Sample(background, dualprocess.Request{Prompt: prompt, Seeds: unseen(8), Adapter: a, Weight: new(0.0)})
	require.NoError(t, err)
	moved, err := s.Sample(background, dualprocess.Request{Prompt: prompt, Seeds: unseen(8), Adapter: a})
	require.NoError(t, err)
	sum, n := 0.0, 0
	for k := range base {
		before, after := base[k].(*image.NRGBA).Pix, moved[k].(*image.NRGBA).Pix
		for p := range before {
			sum += math.Abs(float64(before[p]) - float64(after[p]))
			n++
		}
	}
	return sum / float64(n)
}

func TestDriftHoldsBack(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Drift = 1e-9 // measured, but without force
	free, freeUpdates := distil(t, task)
	task.Drift = 3
	held, heldUpdates := distil(t, task)
	assert.Zero(t, freeUpdates[0].Drift, "a new adapter is the base model")
	assert.Less(t, heldUpdates[29].Drift, freeUpdates[29].Drift/2)
	assert.Less(t, shift(t, w, held, "sea"), shift(t, w, free, "sea")*.8)
}

func TestPreserveKeepsItsPrompts(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Updates = 60
	free, _ := distil(t, task)
	task.Preserve = dualprocess.Preserve{Prompts: []string{"meadow", "desert"}, Weight: 10}
	kept, updates := distil(t, task)
	assert.Zero(t, updates[0].Preserved)
	assert.Positive(t, updates[10].Preserved)
	assert.Less(t, shift(t, w, kept, "meadow"), shift(t, w, free, "meadow")*.6, "preserved")
	before, after := evaluate(t, task, kept, "sea")
	assert.Greater(t, after, before+.1, "and yet it learns")
}

func TestStopAtWindow(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Updates = 60
	task.StopAt = dualprocess.StopAt{P: .7, Window: 3}
	a, updates := distil(t, task)
	n := len(updates)
	require.Less(t, n, 60)
	assert.GreaterOrEqual(t, (updates[n-1].MeanP+updates[n-2].MeanP+updates[n-3].MeanP)/3, .7)
	assert.Less(t, (updates[n-2].MeanP+updates[n-3].MeanP+updates[n-4].MeanP)/3, .7)

	task.StopAt = dualprocess.StopAt{}
	task.Seeds, task.SeedOrder = nil, dualprocess.Cycled
	task.Updates, task.SeedCount = n, 60*task.Batch // the same seeds as in the longer task
	same, _ := distil(t, task)
	assert.Equal(t, numbers(t, same), numbers(t, a), "the adapter of the last update")
}

func TestStopAtValidation(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Prompts = toyPrompts
	task.StopAt = dualprocess.StopAt{P: .6, Seeds: unseen(7), Every: 4}
	a, updates := distil(t, task)
	n := len(updates)
	require.Less(t, n, 30)
	assert.Zero(t, n%4)
	for k, u := range updates {
		assert.Equal(t, (k+1)%4 == 0, u.Validated)
		if k < n-1 {
			assert.Less(t, u.Validation, .6)
		}
	}
	assert.GreaterOrEqual(t, updates[n-1].Validation, .6)
	assert.InDelta(t, updates[n-1].Validation, validation(t, task, a), 1e-6)
}

// validation repeats by Evaluate what Distill validates by: seeds with prompts in
// turn.
func validation(t *testing.T, task dualprocess.Task, a *lora.Adapter) float64 {
	t.Helper()
	sum := 0.0
	for k, seed := range task.StopAt.Seeds {
		ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
			Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier,
			Prompts: task.Prompts[k%len(task.Prompts):][:1], Seeds: []int64{seed}, Questions: task.Questions,
			Adapter: a, Weights: []float64{a.Weight()},
		})
		require.NoError(t, err)
		sum += ratings[0].P[0]
	}
	return sum / float64(len(task.StopAt.Seeds))
}

func TestBestValidationIsReturned(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.LearningRate, task.Batch, task.Updates = .3, 1, 25 // so fast that it falters
	task.Drift = 1
	task.StopAt = dualprocess.StopAt{Seeds: unseen(5), Every: 2}
	a, updates := distil(t, task)
	require.Len(t, updates, 25)
	best := 0.0
	for _, u := range updates {
		best = max(best, u.Validation)
	}
	last := updates[24]
	assert.True(t, last.Validated, "the last update is validated too")
	require.Less(t, last.Validation, best, "the test needs a run whose last is not its best")
	assert.InDelta(t, best, validation(t, task, a), 1e-6)
}

func TestJudgeHacking(t *testing.T) {
	nan := math.NaN()
	small := dualprocess.Tolerance{P: .02, Measure: .01, Quality: .05}
	for name, c := range map[string]struct {
		before, after dualprocess.Outcome
		want          int
	}{
		"all better":          {dualprocess.Outcome{P: .5, Measure: -.2, Quality: 1}, dualprocess.Outcome{P: .9, Measure: -.04, Quality: 1}, 0},
		"measure stays":       {dualprocess.Outcome{P: .5, Measure: -.2, Quality: 1}, dualprocess.Outcome{P: .9, Measure: -.195, Quality: 1}, 1},
		"quality falls":       {dualprocess.Outcome{P: .5, Measure: -.2, Quality: 1}, dualprocess.Outcome{P: .9, Measure: -.04, Quality: .9}, 1},
		"falls but tolerably": {dualprocess.Outcome{P: .5, Measure: -.2, Quality: 1}, dualprocess.Outcome{P: .9, Measure: -.04, Quality: .96}, 0},
		"both":                {dualprocess.Outcome{P: .5, Measure: -.2, Quality: 1}, dualprocess.Outcome{P: .9, Measure: -.4, Quality: .1}, 2},
		"P does not rise":     {dualprocess.Outcome{P: .5, Measure: -.2, Quality: 1}, dualprocess.Outcome{P: .51, Measure: -.4, Quality: .1}, 0},
		"nothing measured":    {dualprocess.Outcome{P: .5, Measure: nan, Quality: nan}, dualprocess.Outcome{P: .9, Measure: nan, Quality: nan}, 0},
		"subject gone":        {dualprocess.Outcome{P: .5, Measure: 2, Quality: 1}, dualprocess.Outcome{P: .9, Measure: nan, Quality: 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			j := dualprocess.JudgeHacking(c.before, c.after, small)
			assert.Len(t, j.Reasons, c.want)
			assert.Equal(t, c.want > 0, j.Suspected)
		})
	}
}
