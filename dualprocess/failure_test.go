package dualprocess_test

import (
	"context"
	"errors"
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

func TestCancelReturnsWhatIsTrained(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Seeds = []int64{1, 2, 3}
	short := task
	short.Updates = 4
	want, _ := distil(t, short)

	ctx, cancel := context.WithCancel(background)
	made := 0
	task.Progress = func(u dualprocess.Update) {
		if made = u.Number; made == 4 {
			cancel()
		}
	}
	a, err := dualprocess.Distill(ctx, task)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 4, made, "stops within one update")
	assert.Equal(t, numbers(t, want), numbers(t, a))
}

func TestNotFiniteLeavesTheAdapter(t *testing.T) {
	eachBackend(t, func(t *testing.T, w *toy) {
		task := w.task()
		task.Seeds = []int64{1, 2, 3}
		short := task
		short.Updates = 2
		want, _ := distil(t, short)

		var last dualprocess.Update
		task.Progress = func(u dualprocess.Update) {
			if last = u; u.Number == 2 {
				poison(t, w)
			}
		}
		a, err := dualprocess.Distill(background, task)
		assert.ErrorIs(t, err, dualprocess.ErrNotFinite)
		assert.ErrorContains(t, err, "update 5 of 30")
		assert.Equal(t, 5, last.Number)
		assert.Equal(t, 3, last.SkippedInAll)
		assert.Equal(t, "picture", last.Fault)
		assert.Equal(t, numbers(t, want), numbers(t, a))
	})
}

// poison puts a NaN into the generator's weights.
func poison(t *testing.T, w *toy) {
	t.Helper()
	values := tensors.MustCopyFlatData[float32](w.g.paint.MustValue())
	values[3] = float32(math.NaN())
	require.NoError(t, w.g.paint.SetValue(tensors.FromFlatDataAndDimensions(values, toyLatents, toySide*toySide*3)))
}

// blot is an overlay with a value that is not finite.
type blot struct{ value float64 }

func (b blot) Apply(image *Node) *Node {
	return Mul(image, Scalar(image.Graph(), image.DType(), b.value))
}

func TestNotFinitePicture(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	for _, value := range []float64{math.NaN(), math.Inf(1)} {
		task.Questions[0].Overlay = blot{value}
		a, err := dualprocess.Distill(background, task)
		assert.ErrorIs(t, err, dualprocess.ErrNotFinite)
		assert.ErrorContains(t, err, "picture")
		fresh := task
		fresh.Questions, fresh.LearningRate, fresh.Updates = []dualprocess.Question{{Text: "red", Answer: "Yes"}}, 1e-30, 1
		untrained, _ := distil(t, fresh)
		assert.InDeltaSlice(t, numbers(t, untrained), numbers(t, a), 1e-20, "the adapter is as it was")
	}
}

func TestTrainingGoesOnAfterASkippedUpdate(t *testing.T) {
	w := newToy(t, "go")
	healthy := tensors.MustCopyFlatData[float32](w.g.paint.MustValue())
	task := w.task()
	task.Progress = func(u dualprocess.Update) {
		switch u.Number {
		case 2:
			poison(t, w)
		case 4:
			value := tensors.FromFlatDataAndDimensions(healthy, toyLatents, toySide*toySide*3)
			require.NoError(t, w.g.paint.SetValue(value))
		}
	}
	_, updates := distil(t, task)
	for _, u := range updates {
		assert.Equal(t, u.Number == 3 || u.Number == 4, u.Skipped, "update %d", u.Number)
	}
	assert.Equal(t, 2, updates[29].SkippedInAll)
	assert.Less(t, updates[29].Loss, updates[0].Loss-.2)
}

// kink is an overlay that changes nothing but whose gradient is not finite.
type kink struct{}

func (kink) Apply(image *Node) *Node {
	return Add(image, MulScalar(Sqrt(Sub(image, image)), 0))
}

// mute is a verifier whose answers are not numbers.
type mute struct{ *toyVerifier }

func (m mute) LogProbs(image *Node, questions [][]*Node) []*Node {
	answers := m.toyVerifier.LogProbs(image, questions)
	return []*Node{Log(Sub(answers[0], OnesLike(answers[0])))}
}

func TestFaultsAreToldApart(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Questions[0].Overlay = kink{}
	_, err := dualprocess.Distill(background, task)
	assert.ErrorIs(t, err, dualprocess.ErrNotFinite)
	assert.ErrorContains(t, err, "gradient, in 3 updates in a row up to update 3 of 30")

	task = w.task()
	task.Verifier = mute{w.v}
	_, err = dualprocess.Distill(background, task)
	assert.ErrorIs(t, err, dualprocess.ErrNotFinite)
	assert.ErrorContains(t, err, "loss, in 3 updates")
}

// breaking is a generator whose Predict panics.
type breaking struct {
	*toyGenerator
	with any
}

func (b breaking) Predict(*lora.Delta, *Node, *Node, []*Node) *Node { panic(b.with) }

func TestPanicsBecomeErrors(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	cause := errors.New("a cause")
	for _, with := range []any{"broken", cause} {
		task.Generator = breaking{w.g, with}
		a, err := dualprocess.Distill(background, task)
		assert.Nil(t, a)
		require.Error(t, err)
		if with == cause {
			assert.ErrorIs(t, err, cause)
		} else {
			assert.ErrorContains(t, err, "broken")
		}
	}
}

func TestUnknownWords(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Prompts = []string{"sea", "zebra"}
	a, err := dualprocess.Distill(background, task)
	assert.Nil(t, a)
	assert.ErrorIs(t, err, dualprocess.ErrPrompt)
	assert.EqualError(t, err, `dualprocess: encode prompt "zebra": toy: unreadable text: unknown word "zebra"`)
	task.Prompts = []string{"sea"}
	task.Questions[0].Text = "xylophone"
	a, err = dualprocess.Distill(background, task)
	assert.Nil(t, a)
	assert.ErrorIs(t, err, dualprocess.ErrPrompt)
	assert.EqualError(t, err, `dualprocess: prepare question "xylophone": toy: unreadable text: unknown word "xylophone"`)
}
