package dualprocess_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
	vpocket "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// requireSame compares trainings that must differ by rounding alone.
func requireSame(t *testing.T, whole, split dualprocess.Task) {
	t.Helper()
	want, wanted := distil(t, whole)
	got, updates := distil(t, split)
	require.Len(t, updates, len(wanted))
	for k, u := range updates {
		require.False(t, u.Skipped)
		require.InDelta(t, wanted[k].Loss, u.Loss, 1e-5)
		require.InDeltaSlice(t, wanted[k].P, u.P, 1e-5)
		require.InDelta(t, wanted[k].Drift, u.Drift, 1e-5)
		require.InDelta(t, wanted[k].Anchored, u.Anchored, 1e-5)
		require.InDelta(t, wanted[k].Preserved, u.Preserved, 1e-5)
		require.InEpsilon(t, wanted[k].GradientNorm, u.GradientNorm, 1e-3)
		require.Equal(t, wanted[k].Findings == nil, u.Findings == nil)
	}
	require.InDeltaSlice(t, numbers(t, want), numbers(t, got), 1e-4)
}

// TestSplit: an update that is cut at the picture has the numbers of a whole one, however
// it is weighed and guarded.
func TestSplit(t *testing.T) {
	w := newToy(t, "go")
	for name, vary := range variants {
		t.Run(name, func(t *testing.T) {
			task := w.task()
			task.Updates = 9
			vary(&task)
			split := task
			split.Split = true
			requireSame(t, task, split)
		})
	}
	eachBackend(t, func(t *testing.T, w *toy) {
		task := controls(w) // its questions are each of their prompts
		split := task
		split.Split = true
		requireSame(t, task, split)
	})
}

// TestSplitRefusesBadNumbers: as a whole update does.
func TestSplitRefusesBadNumbers(t *testing.T) {
	w := newToy(t, "go")
	poison(t, w)
	task := w.task()
	task.Split = true
	a, updates := failing(t, task)
	require.NotNil(t, a)
	require.Len(t, updates, 3)
	for _, u := range updates {
		require.True(t, u.Skipped)
		require.Equal(t, "picture", u.Fault)
	}
}

// failing distils what must end with ErrNotFinite.
func failing(t *testing.T, task dualprocess.Task) (adapter *lora.Adapter, updates []dualprocess.Update) {
	task.Progress = func(u dualprocess.Update) { updates = append(updates, u) }
	t.Helper()
	adapter, err := dualprocess.Distill(t.Context(), task)
	require.ErrorIs(t, err, dualprocess.ErrNotFinite)
	return adapter, updates
}

// TestSplitDevices: a verifier on a runtime of its own, as on another card, teaches, judges and
// rates the same.
func TestSplitDevices(t *testing.T) { eachBackend(t, testSplitDevices) }

func testSplitDevices(t *testing.T, w *toy) {
	apart := openRuntime(t, w.rt.Name)
	task, far := w.task(), homelyVerifier{w.v, apart}
	task.Updates, task.Split = 4, true
	task.StopAt.Seeds, task.StopAt.Every = []int64{1, 2}, 2
	task.Judge.Verifier = w.v
	away := task
	away.Verifier, away.Judge.Verifier = far, far
	near, nearby := distil(t, task)
	distant, updates := distil(t, away)
	require.Equal(t, numbers(t, near), numbers(t, distant))
	require.Equal(t, nearby[3].Findings, updates[3].Findings)
	require.Positive(t, dualprocess.Compiled(apart).Compiled)

	evaluation := dualprocess.Evaluation{
		Runtime: w.rt, Generator: w.g, Verifier: far, Questions: task.Questions, Prompts: task.Prompts, Seeds: []int64{5}, Adapter: near,
	}
	there, err := dualprocess.Evaluate(t.Context(), evaluation)
	require.NoError(t, err)
	evaluation.Verifier = w.v
	here, err := dualprocess.Evaluate(t.Context(), evaluation)
	require.NoError(t, err)
	require.Equal(t, here[0].P, there[0].P)

	away.Split = false
	_, err = dualprocess.Distill(t.Context(), away)
	requireMistake(t, err, "Verifier")
	require.ErrorContains(t, err, "needs Split")
}

// TestSplitEmbedded: with real models, the verifier's weights lie on its runtime alone. On pure Go, which compiles nothing;
// what XLA compiles is the business of the toys.
func TestSplitEmbedded(t *testing.T) {
	rt, apart := openRuntime(t, "go"), openRuntime(t, "go")
	task := embeddedTask(t, rt)
	v, err := vpocket.Open(t.Context(), apart, vpocket.Options{})
	require.NoError(t, err)
	task.Updates, task.Batch = 1, 2
	split := task
	split.Verifier, split.Split = v, true
	requireSame(t, task, split)
}

// TestSplitNeedsBothRuntimes: the verifier's counts, too.
func TestSplitNeedsBothRuntimes(t *testing.T) {
	w := newToy(t, "go")
	task := w.task()
	task.Split, task.Verifier = true, homelyVerifier{w.v, closed(t)}
	_, err := dualprocess.Distill(t.Context(), task)
	require.ErrorIs(t, err, backends.ErrClosed)
	requireMistake(t, err, "Verifier")
}

// TestSplitPlan: the peak falls, and each device has its own.
func TestSplitPlan(t *testing.T) {
	rt, apart := sketch(t, 24<<30), sketch(t, 1<<30)
	task := embeddedTask(t, rt)
	whole, err := dualprocess.Plan(t.Context(), task)
	require.NoError(t, err)
	require.Nil(t, whole.Verifier)
	task.Split = true
	split, err := dualprocess.Plan(t.Context(), task)
	require.NoError(t, err)
	require.Less(t, split.Phases[2].Working, whole.Phases[2].Working)
	require.Greater(t, split.Operations, whole.Operations, "the picture is made twice")
	require.Contains(t, whole.Switches, dualprocess.Switch{Setting: "Split", Peak: split.Phases[2].Peak()})

	v, err := vpocket.Open(t.Context(), apart, vpocket.Options{})
	require.NoError(t, err)
	both, err := dualprocess.Plan(t.Context(), dualprocess.Task{
		Runtime: rt, Generator: task.Generator, Verifier: v, Prompts: task.Prompts, Questions: task.Questions, Split: true,
	})
	require.NoError(t, err)
	require.Equal(t, int64(1<<30), both.Verifier.Memory)
	require.Positive(t, both.Verifier.Phases[0].Working)
	require.Equal(t, split.Operations, both.Operations)
	require.LessOrEqual(t, both.Phases[2].Working, split.Phases[2].Working)
	require.Contains(t, both.String(), "On the verifier's own device:")
	require.True(t, both.Fits())
}
