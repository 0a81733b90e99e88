package dualprocess_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/lora"
)

// task of the embedded models.
func embeddedTask(t *testing.T, rt *backends.Runtime) dualprocess.Task {
	g, v := openEmbedded(t, rt)
	return dualprocess.Task{Runtime: rt, Generator: g, Verifier: v, Prompts: []string{"a sea at day"}, Questions: onTheLine(0.3)}
}

func sketch(t *testing.T, memory int64) *backends.Runtime {
	rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cuda", Memory: memory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	return rt
}

// TestPlan: what the settings of a task do to its plan.
func TestPlan(t *testing.T) {
	rt := sketch(t, 24<<30)
	task := embeddedTask(t, rt)
	plan := func(change func(*dualprocess.Task)) *dualprocess.Needs {
		changed := task
		change(&changed)
		needs, err := dualprocess.Plan(t.Context(), changed)
		require.NoError(t, err)
		require.Len(t, needs.Phases, 3)
		return needs
	}
	updating := func(n *dualprocess.Needs) dualprocess.PhaseNeeds { return n.Phases[2] }
	one := plan(func(*dualprocess.Task) {})
	require.Equal(t, int64(24<<30), one.Memory)
	require.Equal(t, 2*one.Adapter, one.Moments)
	require.True(t, one.Fits())

	rank := plan(func(t *dualprocess.Task) { t.Adapter = lora.Config{Rank: 32} })
	require.Equal(t, 2*one.Adapter, rank.Adapter)
	require.Equal(t, 3*one.Adapter, updating(rank).Resident-updating(one).Resident)

	batch := plan(func(t *dualprocess.Task) { t.Batch = 4 })
	require.InEpsilon(t, 4*float64(updating(one).Working), float64(updating(batch).Working), 0.25)
	require.InEpsilon(t, 4*one.Operations, batch.Operations, 0.05)
	require.Contains(t, batch.String(), "it fits in 24 GiB")
	require.NotEmpty(t, batch.Switches, "a batch of one")

	two := plan(func(t *dualprocess.Task) { t.Accumulate = 2 })
	require.Equal(t, 2*one.Operations, two.Operations)
	require.Equal(t, one.Adapter, updating(two).Resident-updating(one).Resident, "the sum of the gradients")

	drift := plan(func(t *dualprocess.Task) { t.Drift = 1 })
	require.Greater(t, drift.Operations, one.Operations)
	anchored := plan(func(t *dualprocess.Task) { t.Anchor.Weight = 1 })
	require.Equal(t, one.Adapter, updating(anchored).Resident-updating(one).Resident)
	kept := plan(func(t *dualprocess.Task) {
		t.Preserve = dualprocess.Preserve{Prompts: []string{"a lake in summer"}, Weight: 1}
	})
	require.Greater(t, kept.Operations, one.Operations)
}

// TestPlanRefuses what Distill would, and a runtime that computes.
func TestPlanRefuses(t *testing.T) {
	rt := sketch(t, 24<<30)
	task := embeddedTask(t, rt)
	_, err := dualprocess.Distill(t.Context(), task)
	require.ErrorIs(t, err, backends.ErrSketch)
	task.Prompts = []string{"a xylophone"}
	_, err = dualprocess.Plan(t.Context(), task)
	require.ErrorIs(t, err, dualprocess.ErrPrompt)
	task.Questions = nil
	_, err = dualprocess.Plan(t.Context(), task)
	require.ErrorIs(t, err, dualprocess.ErrTask)

	_, err = dualprocess.Plan(t.Context(), embeddedTask(t, openRuntime(t, "go")))
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.ErrorContains(t, err, "Runtime: is none of backends.Sketch")
}

// TestDistillRefusesWhatCannotFit before anything is compiled for an update.
func TestDistillRefusesWhatCannotFit(t *testing.T) {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go", Memory: 1})
	require.NoError(t, err)
	defer rt.Close()
	task := embeddedTask(t, rt)
	task.Batch = 1024
	adapter, err := dualprocess.Distill(t.Context(), task)
	require.Nil(t, adapter)
	require.ErrorIs(t, err, backends.ErrMemory)
	require.ErrorContains(t, err, "Checkpoint: backends.CheckpointOn")
	require.ErrorContains(t, err, "make Batch less than 1024")
	require.LessOrEqual(t, dualprocess.Compiled(rt).Compiled, 1, "the text encoder alone")
}
