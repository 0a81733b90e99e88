package dualprocess_test

import (
	"context"
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// greenEye is a judge that is sure the more, the less of red and the more of green it
// sees: what the toy's verifier wants is not what it wants.
type eye struct{ red, green, blue float64 }

func (e eye) Score(_ context.Context, img image.Image, _ dualprocess.Question) (float64, error) {
	sum, n := 0.0, 0.0
	for y := range toySide {
		for x := range toySide {
			r, g, b, _ := img.At(x, y).RGBA()
			sum += e.red*float64(r) + e.green*float64(g) + e.blue*float64(b)
			n += 0xffff
		}
	}
	return 1 / (1 + math.Exp(-6*sum/n)), nil
}

var (
	honest = eye{2, -1, -1} // sees what the question asks
	other  = eye{-1, 2, -1} // sees the opposite
)

// watched is a task with validations.
func (w *toy) watched() dualprocess.Task {
	task := w.task()
	task.Prompts = toyPrompts
	task.StopAt = dualprocess.StopAt{Seeds: unseen(7), Every: 5}
	return task
}

func TestJudgeThatAgreesSuspectsNothing(t *testing.T) {
	w := newToy(t, "go")
	task := w.watched()
	task.Judge = dualprocess.Judge{Scorer: honest}
	_, updates := distil(t, task)
	for _, u := range updates {
		if !u.Validated {
			assert.Nil(t, u.Findings)
			continue
		}
		f := u.Findings
		assert.Equal(t, u.Validation, f.After.P)
		assert.Equal(t, updates[4].Findings.Before, f.Before, "the base model, once")
		assert.InDelta(t, f.After.P, f.After.Judge, .01, "they see the same but for 8 bits")
		assert.False(t, f.Hacking.Suspected)
		assert.Zero(t, f.After.Statistics)
	}
	assert.Greater(t, updates[29].Findings.After.P, updates[29].Findings.Before.P+.2)
}

// A judge of another opinion is what the returned adapter is chosen by, and it ends
// the training.
func TestJudgeThatDisagrees(t *testing.T) {
	w := newToy(t, "go")
	task := w.watched()
	task.Judge = dualprocess.Judge{Scorer: other}
	a, updates := distil(t, task)
	require.Len(t, updates, 30)
	last := updates[29].Findings
	assert.True(t, last.Hacking.Suspected)
	assert.Contains(t, last.Hacking.Reasons[0], "but the judge's went from")
	first := updates[4].Findings
	require.False(t, first.Hacking.Suspected)
	best, at := -1.0, 0
	for _, u := range updates {
		if f := u.Findings; f != nil && !f.Hacking.Suspected && f.After.Judge > best {
			best, at = f.After.Judge, u.Number
		}
	}
	assert.InDelta(t, updates[at-1].Validation, validation(t, task, a), 1e-6, "the best of those not suspected is returned")

	task.StopAt.Hacking = true
	_, stopped := distil(t, task)
	n := len(stopped)
	require.Less(t, n, 30)
	assert.True(t, stopped[n-1].Findings.Hacking.Suspected)
	assert.False(t, stopped[n-6].Findings.Hacking.Suspected)
}

// A judge that is a verifier gives no gradient: the updates are those without it.
func TestJudgeGivesNoGradient(t *testing.T) {
	w := newToy(t, "go")
	task := w.watched()
	_, plain := distil(t, task)
	task.Judge = dualprocess.Judge{Verifier: &toyVerifier{}, Questions: []dualprocess.Question{{Text: "green", Answer: "Yes"}}}
	_, judged := distil(t, task)
	require.Len(t, judged, len(plain))
	for k := range plain {
		assert.Equal(t, plain[k].Loss, judged[k].Loss)
	}
	f := judged[29].Findings
	assert.Less(t, f.After.Judge, f.Before.Judge)
	assert.True(t, f.Hacking.Suspected)
}

func TestBounds(t *testing.T) {
	w := newToy(t, "go")
	task := w.watched()
	task.Bounds = dualprocess.Bounds{Dark: 1, Edges: 1e6, Entropy: 6, Spread: 1e6}
	_, updates := distil(t, task)
	f := updates[29].Findings
	assert.False(t, f.Hacking.Suspected)
	assert.Positive(t, f.Before.Statistics.Entropy)
	assert.Positive(t, f.Before.Statistics.Spread)
	moved := math.Abs(f.After.Statistics.Entropy - f.Before.Statistics.Entropy)
	require.Positive(t, moved)

	task.Bounds = dualprocess.Bounds{Entropy: moved / 2}
	a, updates := distil(t, task)
	f = updates[29].Findings
	require.True(t, f.Hacking.Suspected)
	assert.Contains(t, f.Hacking.Reasons[0], "the entropy of the colours went from")
	best := 0.0
	for _, u := range updates {
		if u.Validated && !u.Findings.Hacking.Suspected {
			best = max(best, u.Validation)
		}
	}
	require.Positive(t, best, "the test needs a validation within bounds")
	assert.InDelta(t, best, validation(t, task, a), 1e-6)
}
