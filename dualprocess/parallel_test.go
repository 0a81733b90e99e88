package dualprocess_test

import (
	"image"
	"image/color"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Everything may run at once on one runtime with the same models, and gives what it
// gives alone. CONTRIBUTING says how to run it with the race detector.
func TestParallel(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		task := func(k int) dualprocess.Task {
			task := w.task()
			task.Prompts, task.Seed, task.Updates = []string{toyPrompts[k%3]}, int64(k), 4
			return task
		}
		evaluation := dualprocess.Evaluation{
			Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: toyPrompts, Seeds: unseen(2), Questions: w.task().Questions,
		}
		picture := image.NewNRGBA(image.Rect(0, 0, toySide, toySide))
		picture.Set(1, 1, color.White)

		var alone [][]float32
		for k := range 4 {
			a, _ := distil(t, task(k))
			alone = append(alone, numbers(t, a))
		}
		ratings, err := dualprocess.Evaluate(background, evaluation)
		require.NoError(t, err)
		scores, err := dualprocess.Score(background, w.rt, w.v, evaluation.Questions, picture)
		require.NoError(t, err)

		var group sync.WaitGroup
		for k := range 4 {
			group.Go(func() {
				a, err := dualprocess.Distill(background, task(k))
				if assert.NoError(t, err) {
					assert.Equal(t, alone[k], numbers(t, a))
				}
			})
			group.Go(func() {
				got, err := dualprocess.Evaluate(background, evaluation)
				assert.NoError(t, err)
				assert.Equal(t, ratings, got)
			})
			group.Go(func() {
				got, err := dualprocess.Score(background, w.rt, w.v, evaluation.Questions, picture)
				assert.NoError(t, err)
				assert.Equal(t, scores, got)
				_, err = dualprocess.Layers(w.rt, w.g)
				assert.NoError(t, err)
			})
		}
		group.Wait()
	})
}
