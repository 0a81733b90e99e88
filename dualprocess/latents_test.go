package dualprocess_test

import (
	"context"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

func (w *toy) latentTask(seeds ...int64) dualprocess.LatentTask {
	return dualprocess.LatentTask{
		Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompt: "sea", Seeds: seeds, Updates: 40,
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
	}
}

func TestOptimizeLatents(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		for _, unroll := range []int{0, 1, 2} {
			if unroll > 0 && w.rt.Name != "go" {
				continue
			}
			task := w.latentTask(1, 2, 3)
			task.Unroll, task.LearningRate = unroll, .2
			r, err := dualprocess.OptimizeLatents(background, task)
			require.NoError(t, err)
			for k := range r.Seeds {
				assert.Greater(t, r.PAfter[k][0], r.PBefore[k][0]+.02, "seed %d, unroll %d", r.Seeds[k], unroll)
			}
			assert.NotEqual(t, r.Before, r.After)
			assert.Positive(t, r.Elapsed)
			assert.Positive(t, r.SampleTime)
			assert.Greater(t, r.Elapsed, r.SampleTime)
		}
	})
}

func TestLatentsOfSeedsAreIndependent(t *testing.T) {
	w := newToy(t, "go")
	both, err := dualprocess.OptimizeLatents(background, w.latentTask(1, 2))
	require.NoError(t, err)
	one, err := dualprocess.OptimizeLatents(background, w.latentTask(2))
	require.NoError(t, err)
	assert.InDeltaSlice(t, tensors.MustCopyFlatData[float32](one.Latents),
		tensors.MustCopyFlatData[float32](both.Latents)[toyLatents:], 1e-4)
}

func TestPriorKeepsTheLength(t *testing.T) {
	w := newToy(t, "go")
	length := func(prior float64) float64 {
		task := w.latentTask(4)
		task.LearningRate, task.Updates, task.Prior = .3, 80, prior
		r, err := dualprocess.OptimizeLatents(background, task)
		require.NoError(t, err)
		sum := 0.0
		for _, x := range tensors.MustCopyFlatData[float32](r.Latents) {
			sum += float64(x) * float64(x)
		}
		return math.Sqrt(sum)
	}
	want := math.Sqrt(toyLatents - 1)
	assert.Less(t, math.Abs(length(10)-want), math.Abs(length(0)-want))
}

func TestLatentsCancelAndNotFinite(t *testing.T) {
	w := newToy(t, "go")
	ctx, cancel := context.WithCancel(background)
	task := w.latentTask(1)
	made := 0
	task.Progress = func(u dualprocess.Update) {
		if made = u.Number; made == 3 {
			cancel()
		}
	}
	r, err := dualprocess.OptimizeLatents(ctx, task)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 3, made)
	require.NotNil(t, r.Latents)
	assert.Nil(t, r.After)

	task = w.latentTask(1)
	task.Progress = func(u dualprocess.Update) {
		if u.Number == 2 {
			poison(t, w)
		}
	}
	r, err = dualprocess.OptimizeLatents(background, task)
	assert.ErrorIs(t, err, dualprocess.ErrNotFinite)
	assert.ErrorContains(t, err, "picture")
	assert.ErrorContains(t, err, "update 5 of 40")
	for _, x := range tensors.MustCopyFlatData[float32](r.Latents) {
		assert.False(t, math.IsNaN(float64(x)))
	}
}

func TestLatentTaskErrorsNameTheField(t *testing.T) {
	w := newToy(t, "go")
	for field, spoil := range map[string]func(*dualprocess.LatentTask){
		"Runtime":      func(l *dualprocess.LatentTask) { l.Runtime = nil },
		"Generator":    func(l *dualprocess.LatentTask) { l.Generator = nil },
		"Verifier":     func(l *dualprocess.LatentTask) { l.Verifier = nil },
		"Questions":    func(l *dualprocess.LatentTask) { l.Questions = nil },
		"Seeds":        func(l *dualprocess.LatentTask) { l.Seeds = nil },
		"LearningRate": func(l *dualprocess.LatentTask) { l.LearningRate = -1 },
		"Updates":      func(l *dualprocess.LatentTask) { l.Updates = -1 },
		"Unroll":       func(l *dualprocess.LatentTask) { l.Unroll = 5 },
		"Prior":        func(l *dualprocess.LatentTask) { l.Prior = math.NaN() },
	} {
		task := w.latentTask(1)
		spoil(&task)
		_, err := dualprocess.OptimizeLatents(background, task)
		assert.ErrorIs(t, err, dualprocess.ErrTask, field)
		assert.ErrorContains(t, err, ": "+field+": ")
	}
}
