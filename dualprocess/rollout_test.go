package dualprocess_test

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Loss and gradient through several steps are those of the steps written out, where
// nothing is recomputed.
func TestUnroll(t *testing.T) {
	w := newToy(t, "go")
	for name, c := range map[string]struct {
		generator              dualprocess.Generator
		first, end, unroll     int
		wantFirst, wantUnrolls int
		toTheEnd               bool
	}{
		"the last two":           {generator: w.g, unroll: 2, wantFirst: 2, wantUnrolls: 2, toTheEnd: true},
		"all":                    {generator: w.g, unroll: 4, wantFirst: 0, wantUnrolls: 4, toTheEnd: true},
		"the last":               {generator: w.g, unroll: 1, wantFirst: 3, wantUnrolls: 1, toTheEnd: true},
		"from the first":         {generator: w.g, first: 0, end: 1, unroll: 2, wantFirst: 0, wantUnrolls: 2},
		"looking back":           {generator: lookingBack{w.g}, unroll: 3, wantFirst: 1, wantUnrolls: 3, toTheEnd: true},
		"looking back, not last": {generator: lookingBack{w.g}, first: 1, end: 2, unroll: 2, wantFirst: 1, wantUnrolls: 2},
	} {
		t.Run(name, func(t *testing.T) {
			task := w.task()
			task.Generator, task.Updates, task.Batch, task.Seeds = c.generator, 1, 2, []int64{5, 6}
			task.FirstStep, task.EndStep, task.Unroll = c.first, c.end, c.unroll
			task.Start, task.Adapter = started(t, w), lora.Config{}
			_, updates := distil(t, task)
			u := updates[0]
			assert.Equal(t, c.wantFirst, u.Step)

			loss, norm := written(t, w, c.generator, task, c.wantFirst, c.wantUnrolls, c.toTheEnd)
			assert.InDelta(t, loss, u.Loss, 1e-5)
			assert.InEpsilon(t, norm, u.GradientNorm, 1e-4)
		})
	}
}

// started is an adapter whose matrices are both other than zero.
func started(t *testing.T, w *toy) *lora.Adapter {
	t.Helper()
	task := w.task()
	task.Updates, task.LearningRate = 5, .1
	a, _ := distil(t, task)
	return a
}

// written is the loss of the steps written out, and the norm of its gradient by the
// adapter that the task starts from.
func written(t *testing.T, w *toy, g dualprocess.Generator, task dualprocess.Task, first, unroll int, toTheEnd bool) (loss, norm float32) {
	t.Helper()
	noise, err := g.Latents(task.Seeds...)
	require.NoError(t, err)
	n := len(task.Start.Params())
	build := func(in []*Node) []*Node {
		x, cond, clean := in[n+1], in[n+2:], (*Node)(nil)
		previous := x
		for k := range first + unroll {
			if k <= first { // no gradient by what is before
				x, previous = StopGradient(x), StopGradient(previous)
			}
			i := Const(x.Graph(), int32(k))
			v := g.Predict(task.Start.Delta(in[:n], in[n]), x, i, cond)
			clean = g.Clean(x, v, i)
			next := g.Step(x, v, i)
			if m, ok := g.(dualprocess.Multistepper); ok {
				next = m.StepAfter(x, v, previous, i)
			}
			x, previous = next, clean
		}
		if toTheEnd {
			clean = x
		}
		question, err := w.v.Prepare(background, task.Questions[0], toySide, toySide)
		require.NoError(t, err)
		q := []*Node{Const(x.Graph(), question[0].Value()), Const(x.Graph(), question[1].Value())}
		loss, square := Neg(ReduceAllMean(w.v.LogProbs(g.Decode(clean), [][]*Node{q})[0])), (*Node)(nil)
		for _, d := range Gradient(loss, in[:n]...) {
			if square == nil {
				square = ReduceAllSum(Square(d))
			} else {
				square = Add(square, ReduceAllSum(Square(d)))
			}
		}
		return []*Node{loss, Sqrt(square)}
	}
	exec, err := graphs.NewExecutor(w.rt, build)
	require.NoError(t, err)
	defer exec.Finalize()
	one, err := g.Encode(background, task.Prompts[0])
	require.NoError(t, err)
	row := tensors.MustCopyFlatData[float32](one[0])
	args := []any{}
	for _, p := range task.Start.Params() {
		args = append(args, p)
	}
	args = append(args, float32(task.Weight), noise, tensors.FromFlatDataAndDimensions(append(row, row...), 2, len(row)))
	out, err := exec.Call(args...)
	require.NoError(t, err)
	return tensors.MustCopyFlatData[float32](out[0])[0], tensors.MustCopyFlatData[float32](out[1])[0]
}

// The first update of a single step is the same drawn or unrolled.
func TestUnrollOne(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.FirstStep, task.EndStep = 1, 2
	plain, _ := distil(t, task)
	task.Unroll = 1
	one, _ := distil(t, task)
	assert.InDeltaSlice(t, numbers(t, plain), numbers(t, one), 1e-5)
}

// A longer unroll compiles one program and no more, whatever the step.
func TestUnrollCompilesOnce(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.FirstStep, task.EndStep, task.Unroll, task.Updates = 0, 3, 2, 12
	task.StepWeights, task.Anchor, task.Drift = []float64{1, 2, 0, 1}, dualprocess.Anchor{Weight: 1, Every: 2}, 1
	distil(t, task)
	before := dualprocess.Compiled(w.rt).Compiled
	task.StepWeights, task.Anchor.Weight = []float64{3, 2, 1, 0}, 2
	_, updates := distil(t, task)
	steps := map[int]bool{}
	for _, u := range updates {
		steps[u.Step] = true
	}
	assert.Len(t, steps, 3)
	assert.Equal(t, before, dualprocess.Compiled(w.rt).Compiled)
}

// A step that weighs nothing moves nothing, and its loss is told all the same.
func TestStepWeights(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.StepWeights = []float64{0, 1, 2, 1}
	_, updates := distil(t, task)
	steps := map[int]bool{}
	for _, u := range updates {
		steps[u.Step] = true
		assert.Positive(t, u.Loss)
		assert.Equal(t, u.Step == 0, u.GradientNorm == 0)
	}
	assert.Len(t, steps, 4)

	task = w.task()
	task.Clip, task.Updates = -1, 1
	_, one := distil(t, task)
	task.StepWeights = []float64{3, 3, 3, 3}
	_, three := distil(t, task)
	assert.InEpsilon(t, 3*one[0].GradientNorm, three[0].GradientNorm, 1e-4)
	assert.Equal(t, one[0].Loss, three[0].Loss)
}

// Levels of a Leveler have weights of their own.
func TestStepWeightsOfLevels(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Timesteps = dualprocess.Renoise
	task.Generator = levelled{w.g}
	task.StepWeights = make([]float64, levelled{}.Levels())
	task.StepWeights[0] = 1
	_, updates := distil(t, task)
	for _, u := range updates {
		assert.Equal(t, u.Step != 0, u.GradientNorm == 0, "level %d", u.Step)
	}
}

// The anchor is where the adapter was: nothing pulls right after it has moved, and it
// lets the pictures go further than the base model's drift of the same weight.
func TestAnchor(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Anchor = dualprocess.Anchor{Weight: 3, Every: 4}
	a, updates := distil(t, task)
	for k, u := range updates {
		assert.Equal(t, k%4 == 0, u.Anchored == 0, "update %d", u.Number)
		assert.Zero(t, u.Drift)
	}
	task.Anchor, task.Drift = dualprocess.Anchor{}, 3
	held, _ := distil(t, task)
	task.Drift = 0
	free, _ := distil(t, task)
	assert.Greater(t, shift(t, w, a, "sea"), shift(t, w, held, "sea")*1.2)
	assert.Less(t, shift(t, w, a, "sea"), shift(t, w, free, "sea"))
}

// Against makes the loss a difference of two answers, for Distill and OptimizeLatents.
func TestAgainst(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Questions = append(task.Questions, dualprocess.Question{Text: "green", Answer: "Yes", Against: "No"})
	task.Updates = 1
	_, updates := distil(t, task)
	u := updates[0]
	require.Len(t, u.P, 2)

	// log P - log(1-P) of one picture, as the toy knows no third answer.
	task.Batch, task.Seeds = 1, []int64{5}
	_, updates = distil(t, task)
	u = updates[0]
	want := (-math.Log(u.P[0]) - math.Log(u.P[1]) + math.Log(1-u.P[1])) / 2
	assert.InDelta(t, want, u.Loss, 1e-5)

	task.Questions[1].AgainstWeight = .25
	_, updates = distil(t, task)
	assert.Equal(t, u.P, updates[0].P)
	assert.InDelta(t, want-.75*math.Log(1-u.P[1])/2, updates[0].Loss, 1e-5)
	task.Questions[1].AgainstWeight = 0

	latents := w.latentTask(5)
	latents.Questions, latents.Updates = task.Questions, 1
	latents.Progress = func(u dualprocess.Update) {
		want := (-math.Log(u.P[0]) - math.Log(u.P[1]) + math.Log(1-u.P[1])) / 2
		assert.InDelta(t, want, u.Loss, 1e-5)
	}
	r, err := dualprocess.OptimizeLatents(background, latents)
	require.NoError(t, err)
	require.Len(t, r.PBefore[0], 2)
}

// Any backend recomputes the steps.
func TestUnrollOnEachBackend(t *testing.T) {
	var all [][]float32
	for _, backend := range []string{"go", "xla:cpu"} {
		rt, err := backends.Open(background, backends.Options{Backend: backend, NoDownload: true})
		if err != nil {
			t.Logf("no %s here: %v", backend, err)
			continue
		}
		require.NoError(t, rt.Close())
		w := newToy(t, backend)
		task := w.task()
		task.Unroll, task.Updates, task.Batch = 2, 2, 1 // XLA compiles for long
		a, _ := distil(t, task)
		all = append(all, numbers(t, a))
	}
	for _, other := range all[1:] {
		assert.InDeltaSlice(t, all[0], other, 2e-3)
	}
}
