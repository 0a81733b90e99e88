package dualprocess_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// A second task of the same models and shapes compiles nothing, and is told so.
func TestStatus(t *testing.T) {
	w := newToy(t, "go")
	phases := func(task dualprocess.Task) (all []dualprocess.Phase, compiled []string) {
		task.Status = func(s dualprocess.Status) {
			if all = append(all, s.Phase); s.Phase == dualprocess.Compiling {
				compiled = append(compiled, s.Program)
			}
			require.Equal(t, task.Updates, s.Total)
		}
		distil(t, task)
		return all, compiled
	}
	first := w.kept(t.TempDir())
	first.Updates, first.StopAt = 2, dualprocess.StopAt{Seeds: []int64{1}, Every: 2}
	all, compiled := phases(first)
	require.Equal(t, []string{"denoise", "gradient", "decode", "rate pictures"}, compiled)
	require.Equal(t, dualprocess.Encoding, all[0])
	require.Subset(t, all, []dualprocess.Phase{dualprocess.Denoising, dualprocess.Updating, dualprocess.Validating, dualprocess.Saving})

	second := first
	second.Prompts, second.Questions = []string{"meadow", "desert"}, []dualprocess.Question{{Text: "green", Answer: "No"}}
	second.Seed, second.LearningRate, second.Checkpoint = 5, .02, dualprocess.Checkpoint{Folder: t.TempDir()}
	before := dualprocess.Compiled(w.rt)
	_, compiled = phases(second)
	require.Empty(t, compiled)
	require.Equal(t, before, dualprocess.Compiled(w.rt))
	require.Equal(t, 4, before.Kept)

	dualprocess.Forget(w.rt, w.v)
	require.Equal(t, 2, dualprocess.Compiled(w.rt).Kept)
	_, compiled = phases(second)
	require.Empty(t, compiled, "it was done")
	second.Checkpoint.Folder = t.TempDir()
	_, compiled = phases(second)
	require.Equal(t, []string{"gradient", "rate pictures"}, compiled)
}

// What has no words shapes a program of its own, and goes with it.
func TestOverlaysOfOnesOwn(t *testing.T) {
	w := newToy(t, "go")
	for _, grey := range []float32{0, 1} {
		task := w.task()
		task.Updates, task.Questions[0].Overlay = 1, bar{2, grey}
		distil(t, task)
		require.Equal(t, 1, dualprocess.Compiled(w.rt).Kept, "the step that denoises")
	}
	task := w.task()
	task.Updates = 1
	for _, row := range []float64{.2, .6} {
		task.Questions[0].Overlay = overlay.Stack{overlay.Solid{Picture: overlay.HorizonLine{Row: row}}}
		distil(t, task)
		require.Equal(t, 2, dualprocess.Compiled(w.rt).Kept, "one gradient for all drawings")
	}
}
