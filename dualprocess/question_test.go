package dualprocess_test

import (
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

func TestQuestionPrompt(t *testing.T) {
	for _, test := range []struct {
		q    dualprocess.Question
		want string
	}{
		{dualprocess.Question{Text: "Is it red?", Answer: "Yes"}, "Is it red? Answer with Yes or No."},
		{dualprocess.Question{Text: "Is it red?", Answer: "No"}, "Is it red? Answer with Yes or No."},
		{dualprocess.Question{Text: "Is it red?", Answer: " yes\n"}, "Is it red? Answer with Yes or No."},
		{dualprocess.Question{Text: "What season is it?", Answer: "winter"}, "What season is it?"},
		{dualprocess.Question{Text: "What is this?", Answer: "Nothing"}, "What is this?"},
		{dualprocess.Question{Text: "Is it red?"}, "Is it red?"},
		{dualprocess.Question{Text: "Is it red?", Answer: "Yes", Bare: true}, "Is it red?"},
		{dualprocess.Question{Text: "Is it red?", Answer: "Yes", Suffix: " In one word."}, "Is it red? In one word."},
		{dualprocess.Question{Text: "What season is it?", Answer: "winter", Suffix: " In one word."}, "What season is it? In one word."},
	} {
		assert.Equal(t, test.want, test.q.Prompt(), "%+v", test.q)
	}
}

// controls are two questions, each for a prompt of its own, and one for both.
func controls(w *toy) dualprocess.Task {
	task := w.task()
	task.Prompts = []string{"sea", "meadow"}
	task.Questions = []dualprocess.Question{
		{Text: "red", Answer: "Yes", Prompts: []string{"sea"}},
		{Text: "green", Answer: "Yes", Prompts: []string{"meadow"}, Weight: 3},
		{Text: "bright", Answer: "No"},
	}
	task.Seeds = unseen(4)
	return task
}

func TestQuestionsOfTheirPrompts(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		task := controls(w)
		task.Updates, task.Batch = 1, 2 // one picture of each prompt
		_, both := distil(t, task)

		var each [2]dualprocess.Update // of the first update on each prompt, every question asked
		for k, prompt := range task.Prompts {
			alone := task
			alone.Prompts, alone.Seeds, alone.Batch = []string{prompt}, task.Seeds[k:k+1], 1
			alone.Questions = append([]dualprocess.Question(nil), task.Questions...)
			for q := range alone.Questions {
				alone.Questions[q].Prompts, alone.Questions[q].Weight = nil, 0
			}
			_, updates := distil(t, alone)
			each[k] = updates[0]
		}
		sea, meadow := each[0].P, each[1].P
		want := []float64{sea[0], meadow[1], (sea[2] + meadow[2]) / 2}
		assert.InDeltaSlice(t, want, both[0].P, 1e-6)
		assert.InDelta(t, (want[0]+want[1]+want[2])/3, both[0].MeanP, 1e-6)
		loss := -(math.Log(sea[0])+math.Log(sea[2]))/2 - (3*math.Log(meadow[1])+math.Log(meadow[2]))/4
		assert.InDelta(t, loss/2, both[0].Loss, 1e-5)
	})
}

func TestQuestionsNotAsked(t *testing.T) {
	w := newToy(t, "go")
	task := controls(w)
	task.Updates, task.Batch = 6, 1 // the prompts in turn
	_, updates := distil(t, task)
	for k, u := range updates {
		asked, other := k%2, 1-k%2
		assert.False(t, u.Skipped)
		assert.True(t, math.IsNaN(u.P[other]), "%v", u.P)
		assert.InDelta(t, (u.P[asked]+u.P[2])/2, u.MeanP, 1e-6)
		assert.False(t, math.IsNaN(u.Loss))
	}
}

func TestTwoControlsLearnTogether(t *testing.T) {
	w := newToy(t, "go")
	task := controls(w)
	task.Seeds, task.Updates, task.Questions = nil, 200, task.Questions[:2]
	task.Questions[1].Weight = 0
	built := int32(0)
	task.Progress = func(u dualprocess.Update) {
		if u.Number == 10 {
			built = w.g.predicts.Load()
		}
	}
	a, _ := distil(t, task)
	assert.Equal(t, built, w.g.predicts.Load(), "nothing compiles again")
	ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Verifier: w.v, Adapter: a, Batch: 4,
		Prompts: task.Prompts, Seeds: unseen(8), Questions: task.Questions,
	})
	require.NoError(t, err)
	sums := map[[2]any]float64{}
	for _, r := range ratings {
		asked, other := 0, 1
		if r.Prompt == "meadow" {
			asked, other = 1, 0
		}
		assert.True(t, math.IsNaN(r.P[other]), "%v", r)
		sums[[2]any{r.Prompt, r.Weight}] += r.P[asked] / 8
	}
	for _, prompt := range task.Prompts {
		assert.Greater(t, sums[[2]any{prompt, a.Weight()}], sums[[2]any{prompt, 0.0}]+.1, prompt)
	}
	mean := (sums[[2]any{"sea", 0.0}] + sums[[2]any{"meadow", 0.0}]) / 2
	assert.InDelta(t, mean, dualprocess.MeanP(ratings, 0), 1e-9, "over what was asked")
}

func TestEqualWeightsChangeNothing(t *testing.T) {
	w := newToy(t, "go")
	task := controls(w)
	task.Updates, task.Prompts = 5, []string{"sea"}
	for k := range task.Questions {
		task.Questions[k].Prompts, task.Questions[k].Weight = nil, 0
	}
	plain, _ := distil(t, task)
	for k := range task.Questions {
		task.Questions[k].Prompts, task.Questions[k].Weight = []string{"sea"}, 7
	}
	same, _ := distil(t, task)
	assert.Equal(t, numbers(t, plain), numbers(t, same), "bit for bit")
	task.Questions[2].Weight = 1
	other, updates := distil(t, task)
	assert.NotEqual(t, numbers(t, plain), numbers(t, other))
	assert.Len(t, updates[0].P, 3)
}

func TestQuestionsAccumulateLikeABiggerBatch(t *testing.T) {
	w := newToy(t, "go")
	task := controls(w)
	task.Updates, task.Batch = 4, 4
	whole, wholeUpdates := distil(t, task)
	task.Batch, task.Accumulate = 1, 4
	parts, updates := distil(t, task)
	assert.InDeltaSlice(t, numbers(t, whole), numbers(t, parts), 2e-5)
	for k, u := range updates {
		assert.InDelta(t, wholeUpdates[k].Loss, u.Loss, 1e-5)
		assert.InDeltaSlice(t, wholeUpdates[k].P, u.P, 1e-5)
		assert.InDelta(t, wholeUpdates[k].MeanP, u.MeanP, 1e-5)
	}
}

func TestValidationAsksWhatIsForItsPrompts(t *testing.T) {
	w := newToy(t, "go")
	task := controls(w)
	task.Updates, task.StopAt = 2, dualprocess.StopAt{Seeds: unseen(2), Every: 2}
	a, updates := distil(t, task)
	sum := 0.0
	for k, seed := range task.StopAt.Seeds {
		ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
			Runtime: w.rt, Generator: w.g, Verifier: w.v, Adapter: a, Weights: []float64{a.Weight()},
			Prompts: task.Prompts, Seeds: []int64{seed}, Questions: task.Questions,
		})
		require.NoError(t, err)
		sum += ratings[k].P[k] + ratings[k].P[2] // seed k with prompt k
	}
	assert.InDelta(t, sum/4, updates[1].Validation, 1e-6)
}

func TestScorerIsAskedWhatIsForThePrompt(t *testing.T) {
	w := newToy(t, "go")
	task := controls(w)
	asked := map[string]int{}
	ratings, err := dualprocess.Evaluate(background, dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Prompts: task.Prompts, Seeds: []int64{1, 2, 3}, Batch: 2, Questions: task.Questions,
		Scorer: scorerFunc(func(_ image.Image, q dualprocess.Question) (float64, error) {
			asked[q.Text]++
			return .25, nil
		}),
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"red": 3, "green": 3, "bright": 6}, asked)
	assert.True(t, math.IsNaN(ratings[0].P[1]))
	assert.Equal(t, .25, dualprocess.MeanP(ratings, 0))
}

func TestScoreAsksEverything(t *testing.T) {
	w := newToy(t, "go")
	p, err := dualprocess.Score(background, w.rt, w.v, controls(w).Questions, image.NewGray(image.Rect(0, 0, 4, 4)))
	require.NoError(t, err)
	for _, x := range p[0] {
		assert.False(t, math.IsNaN(x))
	}
}

func TestWeightsOfLatents(t *testing.T) {
	w := newToy(t, "go")
	task := w.latentTask(3)
	task.Updates, task.Unroll = 1, w.g.Steps()
	task.Questions = []dualprocess.Question{{Text: "red", Answer: "Yes", Weight: 3, Prompts: []string{"sea"}}, {Text: "bright", Answer: "No"}}
	var update dualprocess.Update
	task.Progress = func(u dualprocess.Update) { update = u }
	r, err := dualprocess.OptimizeLatents(background, task)
	require.NoError(t, err)
	assert.InDeltaSlice(t, r.PBefore[0], update.P, 1e-5)
	assert.InDelta(t, -(3*math.Log(update.P[0])+math.Log(update.P[1]))/4, update.Loss, 1e-5)
}

func TestAnswerThatIsNoNumber(t *testing.T) {
	w := newToy(t, "go")
	red := []dualprocess.Question{{Text: "red", Answer: "Yes"}}
	_, err := dualprocess.Score(background, w.rt, mute{w.v}, red, image.NewGray(image.Rect(0, 0, 4, 4)))
	require.ErrorIs(t, err, dualprocess.ErrNotFinite)
	require.ErrorContains(t, err, `"red"`)
}
