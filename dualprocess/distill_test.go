package dualprocess_test

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

var background = context.Background()

// distil runs a task that must succeed, and returns its updates too.
func distil(t *testing.T, task dualprocess.Task) (*lora.Adapter, []dualprocess.Update) {
	t.Helper()
	var updates []dualprocess.Update
	also := task.Progress
	task.Progress = func(u dualprocess.Update) {
		updates = append(updates, u)
		if also != nil {
			also(u)
		}
	}
	a, err := dualprocess.Distill(background, task)
	require.NoError(t, err)
	return a, updates
}

// evaluate returns the mean P(answer) on unseen seeds of base and adapter.
func evaluate(t *testing.T, task dualprocess.Task, a *lora.Adapter, prompts ...string) (before, after float64) {
	t.Helper()
	ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier,
		Prompts: prompts, Seeds: unseen(16), Questions: task.Questions, Adapter: a, Batch: 5,
	})
	require.NoError(t, err)
	require.Len(t, ratings, 2*16*len(prompts))
	return dualprocess.MeanP(ratings, 0), dualprocess.MeanP(ratings, a.Weight())
}

func TestDistillLearnsAndGeneralises(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		for name, mode := range map[string]dualprocess.Timesteps{"subsample": dualprocess.Subsample, "renoise": dualprocess.Renoise} {
			if mode == dualprocess.Renoise && w.rt.Name != "go" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				task := w.task()
				task.Timesteps = mode
				a, updates := distil(t, task)
				require.Len(t, updates, 30)
				assert.Less(t, updates[29].Loss, updates[0].Loss-.2)
				before, after := evaluate(t, task, a, "sea")
				assert.Greater(t, after, before+.2, "unseen seeds")
				before, after = evaluate(t, task, a, "meadow", "desert")
				assert.Greater(t, after, before+.1, "unseen prompts")
				assert.Equal(t, 2.0, a.Weight())
			})
		}
	})
}

// levelled is a generator of one step whose network knows ten noise levels.
type levelled struct{ *toyGenerator }

func (l levelled) Steps() int  { return 1 }
func (l levelled) Levels() int { return 10 }

// sigma is 1 at step 0 and at level 0, from where it falls to 0.1 at level 9.
func (l levelled) sigma(i *Node) *Node {
	level := MaxScalar(AddScalar(ConvertDType(i, dtypes.Float32), -1), 0)
	return AddScalar(MulScalar(level, -.1), 1)
}

func (l levelled) Clean(latents, velocity, i *Node) *Node {
	return Sub(latents, Mul(velocity, l.sigma(i)))
}

func (l levelled) Step(latents, velocity, i *Node) *Node { return Sub(latents, velocity) }

func (l levelled) Noise(clean, noise, i *Node) *Node {
	return Add(Mul(clean, OneMinus(l.sigma(i))), Mul(noise, l.sigma(i)))
}

func TestRenoiseToLevels(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Generator, task.Timesteps = levelled{toyGenerator: w.g}, dualprocess.Renoise
	task.Preserve = dualprocess.Preserve{Prompts: []string{"meadow"}, Weight: .01}
	a, updates := distil(t, task)
	highest := 0
	for _, u := range updates {
		highest = max(highest, u.Step)
	}
	assert.Greater(t, highest, 4)
	assert.Less(t, highest, 10)
	before, after := evaluate(t, task, a, "sea")
	assert.Greater(t, after, before+.1)

	task.EndStep = 11
	_, err := dualprocess.Distill(background, task)
	assert.ErrorContains(t, err, "EndStep")
}

func TestUpdatesTellTheTruth(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Questions = append(task.Questions, dualprocess.Question{Text: "bright", Answer: "No"})
	task.Batch, task.Updates, task.WarmUp, task.Decay, task.DecayTo = 1, 8, 2, 4, .2
	_, updates := distil(t, task)
	steps := map[int]bool{}
	for k, u := range updates {
		assert.Equal(t, k+1, u.Number)
		assert.Equal(t, 8, u.Total)
		require.Len(t, u.P, 2)
		assert.InDelta(t, (u.P[0]+u.P[1])/2, u.MeanP, 1e-6)
		assert.InDelta(t, -(math.Log(u.P[0])+math.Log(u.P[1]))/2, u.Loss, 1e-5, "one picture: P = exp(-loss)")
		assert.Positive(t, u.GradientNorm)
		assert.Zero(t, u.Drift)
		assert.False(t, u.Skipped)
		steps[u.Step] = true
	}
	assert.Greater(t, len(steps), 1, "steps are drawn")
	rate := func(k int) float64 { return updates[k].LearningRate / task.LearningRate }
	assert.InDeltaSlice(t, []float64{.5, 1, 1, 1, .8, .6, .4, .2},
		[]float64{rate(0), rate(1), rate(2), rate(3), rate(4), rate(5), rate(6), rate(7)}, 1e-9)
}

func TestSameTaskSameAdapter(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		task := w.task()
		task.Updates, task.Drift, task.SeedOrder = 10, .1, dualprocess.Drawn
		first, _ := distil(t, task)
		again, _ := distil(t, task)
		assert.Equal(t, numbers(t, first), numbers(t, again))
		if w.rt.Name != "go" {
			return
		}
		task.Seed = 1
		other, _ := distil(t, task)
		assert.NotEqual(t, numbers(t, first), numbers(t, other))
	})
}

func TestGuardsShiftNothingRandom(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Updates = 12
	plain, updates := distil(t, task)

	task.StopAt = dualprocess.StopAt{P: .999}
	watched, _ := distil(t, task)
	assert.Equal(t, numbers(t, plain), numbers(t, watched))

	task.Preserve = dualprocess.Preserve{Prompts: []string{"meadow"}, Weight: 1e-30}
	_, guarded := distil(t, task)
	for k := range updates {
		assert.Equal(t, updates[k].Step, guarded[k].Step)
	}
	assert.InDelta(t, updates[0].Loss, guarded[0].Loss, 1e-6)
}

func TestAccumulatedEqualsBiggerBatch(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		task := w.task()
		task.Prompts = toyPrompts
		task.Drift, task.Preserve = .05, dualprocess.Preserve{Prompts: []string{"meadow"}, Weight: .1}
		task.Updates, task.Batch = 6, 4
		whole, wholeUpdates := distil(t, task)
		for _, split := range [][2]int{{2, 2}, {1, 4}} {
			if split[0] == 1 && w.rt.Name != "go" {
				continue
			}
			task.Batch, task.Accumulate = split[0], split[1]
			parts, updates := distil(t, task)
			assert.InDeltaSlice(t, numbers(t, whole), numbers(t, parts), 2e-5, "split %v", split)
			for k, u := range updates {
				assert.InDelta(t, wholeUpdates[k].Loss, u.Loss, 1e-5)
				assert.InDelta(t, wholeUpdates[k].GradientNorm, u.GradientNorm, 1e-4)
				assert.InDelta(t, wholeUpdates[k].Preserved, u.Preserved, 1e-5)
			}
		}
	})
}

func TestNothingRecompiles(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Prompts = toyPrompts
	task.Drift, task.Preserve = .05, dualprocess.Preserve{Prompts: []string{"meadow", "sea"}, Weight: .1}
	task.StopAt = dualprocess.StopAt{Seeds: unseen(3), Every: 2}
	var builds []int32
	task.Progress = func(dualprocess.Update) { builds = append(builds, w.g.predicts.Load()) }
	distil(t, task)
	settled := 6 // by then every kind of step and one validation have been seen
	for _, n := range builds[settled:] {
		assert.Equal(t, builds[settled], n)
	}

	s, err := dualprocess.NewSampler(w.rt, w.g, dualprocess.SamplerOptions{Batch: 2})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Sample(background, dualprocess.Request{Prompt: "sea", Seeds: []int64{1}})
	require.NoError(t, err)
	built := w.g.predicts.Load()
	_, err = s.Sample(background, dualprocess.Request{Prompt: "desert", Seeds: []int64{4, 5, 6}})
	require.NoError(t, err)
	assert.Equal(t, built, w.g.predicts.Load(), "neither prompts nor numbers of seeds compile again")
}

func TestOverlaysAreGrouped(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Updates = 2
	task.Questions = []dualprocess.Question{
		{Text: "red", Answer: "Yes", Overlay: bar{1, .2}},
		{Text: "green", Answer: "No"},
		{Text: "bright", Answer: "No", Overlay: bar{1, .2}},
		{Text: "bright", Answer: "Yes", Overlay: bar{2, .9}},
		{Text: "red", Answer: "Yes"},
	}
	_, updates := distil(t, task)
	assert.Equal(t, 2*3, w.v.looks, "the verifier looks once per overlay, in the graph that is measured and in the one that is compiled")
	require.Len(t, updates[0].P, 5)
	for k, q := range task.Questions { // alone, each question gets the answer that it got among others
		alone := task
		alone.Questions = []dualprocess.Question{q}
		_, one := distil(t, alone)
		assert.InDelta(t, one[0].P[0], updates[0].P[k], 1e-6, "question %d", k)
	}
	assert.NotEqual(t, updates[0].P[0], updates[0].P[4], "the overlay is seen")
}

func TestGoesOnFromAnAdapter(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	start, _ := distil(t, task)
	before := numbers(t, start)

	more := task
	more.Adapter, more.Start, more.Weight, more.Updates = lora.Config{}, start, 0, 1
	a, updates := distil(t, more)
	assert.Equal(t, before, numbers(t, start), "the start is not changed")
	assert.NotEqual(t, before, numbers(t, a))
	assert.Equal(t, start.Weight(), a.Weight())
	assert.Greater(t, updates[0].MeanP, .7, "it knows what it learnt")

	foreign, err := lora.New(lora.Config{Rank: 2}, []lora.Layer{{Name: "other", In: 8, Out: 8}})
	require.NoError(t, err)
	more.Start = foreign
	_, err = dualprocess.Distill(background, more)
	assert.ErrorIs(t, err, dualprocess.ErrTask)
	assert.ErrorContains(t, err, "Start")
	assert.ErrorContains(t, err, "other")
}
