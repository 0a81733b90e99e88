package dualprocess_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

func TestWeightZeroIsTheBaseModel(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		a, _ := distil(t, w.task())
		sample := func(o dualprocess.SampleOptions) []image.Image {
			o.Seeds = []int64{7, 8, 9}
			images, err := dualprocess.Sample(background, w.rt, w.g, "sea", o)
			require.NoError(t, err)
			require.Len(t, images, 3)
			return images
		}
		base := sample(dualprocess.SampleOptions{Batch: 2})
		assert.Equal(t, base, sample(dualprocess.SampleOptions{Batch: 2, Adapter: a, Weight: new(0.0)}))
		trained := sample(dualprocess.SampleOptions{Batch: 2, Adapter: a})
		assert.NotEqual(t, base, trained)
		if w.rt.Name != "go" {
			return
		}
		assert.Equal(t, trained, sample(dualprocess.SampleOptions{Batch: 3, Adapter: a, Weight: new(a.Weight())}), "whatever the batch")
	})
}

func TestSampleOfASeedStandsAlone(t *testing.T) {
	w := newToy(t, "go")
	together, err := dualprocess.Sample(background, w.rt, w.g, "sea", dualprocess.SampleOptions{Seeds: []int64{3, 4}, Batch: 2})
	require.NoError(t, err)
	alone, err := dualprocess.Sample(background, w.rt, w.g, "sea", dualprocess.SampleOptions{Seeds: []int64{4}})
	require.NoError(t, err)
	assert.Equal(t, together[1], alone[0])
}

func TestEvaluateOrderAndProgress(t *testing.T) {
	w := newToy(t, "go")
	a, _ := distil(t, w.task())
	var told []dualprocess.Rating
	ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: []string{"sea", "desert"}, Seeds: []int64{1, 2, 3},
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}, {Text: "red", Answer: "No"}},
		Adapter:   a, Weights: []float64{0, 2, 5}, Batch: 4,
		Progress: func(r dualprocess.Rating) { told = append(told, r) },
	})
	require.NoError(t, err)
	assert.Equal(t, ratings, told)
	require.Len(t, ratings, 18)
	k := 0
	for _, weight := range []float64{0, 2, 5} {
		for _, prompt := range []string{"sea", "desert"} {
			for _, seed := range []int64{1, 2, 3} {
				r := ratings[k]
				assert.Equal(t, []any{weight, prompt, seed}, []any{r.Weight, r.Prompt, r.Seed})
				require.Len(t, r.P, 2)
				assert.InDelta(t, 1, r.P[0]+r.P[1], 1e-5, "Yes and No")
				assert.Equal(t, image.Rect(0, 0, toySide, toySide), r.Image.Rect)
				k++
			}
		}
	}
	assert.True(t, dualprocess.MeanP(ratings, 7) != dualprocess.MeanP(ratings, 7), "NaN where there is nothing")
}

func TestScoreAgreesWithEvaluate(t *testing.T) {
	w := newToy(t, "go")
	questions := []dualprocess.Question{{Text: "red", Answer: "Yes"}, {Text: "bright", Answer: "No", Overlay: bar{1, 1}}}
	ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: []string{"sea"}, Seeds: []int64{1, 2}, Questions: questions,
	})
	require.NoError(t, err)
	p, err := dualprocess.Score(background, w.rt, w.v, questions, ratings[0].Image, ratings[1].Image)
	require.NoError(t, err)
	for k, r := range ratings {
		assert.InDeltaSlice(t, r.P, p[k], .02, "but for rounding to 8 bits")
	}

	_, err = dualprocess.Score(background, w.rt, w.v, questions, ratings[0].Image, image.NewGray(image.Rect(0, 0, 5, 4)))
	assert.ErrorIs(t, err, dualprocess.ErrTask)
	assert.ErrorContains(t, err, "Images[1]")
}

// scorerFunc makes a function a Scorer.
type scorerFunc func(img image.Image, q dualprocess.Question) (float64, error)

func (f scorerFunc) Score(_ context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	return f(img, q)
}

func TestEvaluateWithAScorer(t *testing.T) {
	w := newToy(t, "go")
	e := dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Prompts: []string{"sea"}, Seeds: []int64{1, 2, 3}, Batch: 2,
		Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}, {Text: "bright", Answer: "Yes", Overlay: bar{1, 1}}},
		Scorer: scorerFunc(func(img image.Image, q dualprocess.Question) (float64, error) {
			if img.At(2, 0) == (color.NRGBA{255, 255, 255, 255}) {
				return 1, nil // the overlay's bar
			}
			return .25, nil
		}),
	}
	ratings, err := dualprocess.Evaluate(background, e)
	require.NoError(t, err)
	require.Len(t, ratings, 3)
	for _, r := range ratings {
		assert.Equal(t, []float64{.25, 1}, r.P)
	}

	asked := 0
	e.Scorer = scorerFunc(func(image.Image, dualprocess.Question) (float64, error) {
		if asked++; asked == 5 {
			return 0, errors.New("quota")
		}
		return .5, nil
	})
	ratings, err = dualprocess.Evaluate(background, e)
	assert.ErrorContains(t, err, "quota")
	assert.Len(t, ratings, 2, "what came before comes with the error")

	e.Scorer = scorerFunc(func(image.Image, dualprocess.Question) (float64, error) { return 1.5, nil })
	_, err = dualprocess.Evaluate(background, e)
	assert.ErrorContains(t, err, "no probability")
}

func TestPoisonedPicturesAreErrors(t *testing.T) {
	w := newToy(t, "go")
	poison(t, w)
	_, err := dualprocess.Sample(background, w.rt, w.g, "sea", dualprocess.SampleOptions{})
	assert.ErrorIs(t, err, dualprocess.ErrNotFinite)
}

func TestEvaluationErrorsNameTheField(t *testing.T) {
	w := newToy(t, "go")
	for field, spoil := range map[string]func(*dualprocess.Evaluation){
		"Runtime":           func(e *dualprocess.Evaluation) { e.Runtime = nil },
		"Generator":         func(e *dualprocess.Evaluation) { e.Generator = nil },
		"Verifier":          func(e *dualprocess.Evaluation) { e.Verifier = nil },
		"Prompts":           func(e *dualprocess.Evaluation) { e.Prompts = nil },
		"Seeds":             func(e *dualprocess.Evaluation) { e.Seeds = nil },
		"Questions":         func(e *dualprocess.Evaluation) { e.Questions = nil },
		"Questions[0].Text": func(e *dualprocess.Evaluation) { e.Questions = []dualprocess.Question{{}} },
		"Weights":           func(e *dualprocess.Evaluation) { e.Weights = []float64{0, 5} },
		"Batch":             func(e *dualprocess.Evaluation) { e.Batch = -1 },
	} {
		e := dualprocess.Evaluation{
			Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: []string{"sea"}, Seeds: []int64{1},
			Questions: []dualprocess.Question{{Text: "red", Answer: "Yes"}},
		}
		spoil(&e)
		_, err := dualprocess.Evaluate(background, e)
		assert.ErrorIs(t, err, dualprocess.ErrTask, field)
		assert.ErrorContains(t, err, ": "+field+": ")
	}
}

// An evaluation that is cut short goes on behind what it has kept.
func TestEvaluateGoesOn(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Updates = 2
	a, _ := distil(t, task)
	ask := append(task.Questions, dualprocess.Question{Text: "red", Answer: "Yes", Prompts: []string{"sea"}})
	evaluation := func(folder string) dualprocess.Evaluation {
		return dualprocess.Evaluation{
			Runtime: w.rt, Generator: w.g, Verifier: w.v, Prompts: []string{"sea", "meadow"}, Seeds: unseen(3),
			Questions: ask, Adapter: a, Batch: 2, Checkpoint: folder,
		}
	}
	want, err := dualprocess.Evaluate(background, evaluation(""))
	require.NoError(t, err)
	require.Len(t, want, 12)
	same := func(got []dualprocess.Rating) {
		t.Helper()
		require.Len(t, got, len(want))
		for k, r := range want {
			require.Equal(t, []any{r.Prompt, r.Seed, r.Weight, r.Image}, []any{got[k].Prompt, got[k].Seed, got[k].Weight, got[k].Image})
			require.Equal(t, r.P[0], got[k].P[0])
			require.Equal(t, math.IsNaN(r.P[1]), math.IsNaN(got[k].P[1]))
		}
	}
	for cut := range 6 {
		folder := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		e, told := evaluation(folder), 0
		e.Progress = func(dualprocess.Rating) {
			if told++; told == 2*cut+1 {
				cancel()
			}
		}
		got, err := dualprocess.Evaluate(ctx, e)
		if cut < 5 {
			require.ErrorIs(t, err, context.Canceled)
			require.Len(t, got, 2*cut+2)
		}
		lines := filepath.Join(folder, "ratings.jsonl")
		data, err := os.ReadFile(lines)
		require.NoError(t, err)
		if cut%2 == 1 { // a line torn, a picture gone
			require.NoError(t, os.WriteFile(lines, data[:len(data)-5], 0o666))
		} else {
			require.NoError(t, os.Remove(filepath.Join(folder, "picture-000001.png")))
		}
		e = evaluation(folder)
		told = 0
		e.Progress = func(dualprocess.Rating) { told++ }
		got, err = dualprocess.Evaluate(background, e)
		require.NoError(t, err)
		require.Equal(t, 12, told)
		same(got)
		got, err = dualprocess.Evaluate(background, evaluation(folder))
		require.NoError(t, err)
		same(got)

		other := evaluation(folder)
		other.Seeds = unseen(4)
		_, err = dualprocess.Evaluate(background, other)
		require.ErrorIs(t, err, dualprocess.ErrCheckpoint)
		require.ErrorContains(t, err, "Seeds")
	}
}
