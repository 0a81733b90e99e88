package dualprocess_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// present tells which models have weights on the device.
func present(t *testing.T, rt *backends.Runtime) map[string]bool {
	t.Helper()
	models := map[string]bool{}
	for v := range rt.Store.IterVariables() {
		root, rest, _ := strings.Cut(strings.TrimPrefix(v.Path(), "/"), "/")
		value, err := v.Value()
		require.NoError(t, err)
		if rest != "" && value.IsOnAnyDevice() {
			models[root] = true
		}
	}
	return models
}

// TestOffload: the model that does not compute is on the host, and the adapter is that of
// models which stay, bit for bit.
func TestOffload(t *testing.T) {
	rt := golden.Runtime(t)
	away, err := backends.Open(t.Context(), backends.Options{Backend: rt.Name, NoDownload: true, Offload: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, away.Close()) }()
	stays := embeddedTask(t, rt)
	stays.Updates, stays.Batch, stays.Split = 2, 2, true
	task := embeddedTask(t, away)
	task.Updates, task.Batch, task.Split = 2, 2, true
	require.Empty(t, present(t, away), "opened and not used")
	updates := 0
	task.Progress = func(dualprocess.Update) {
		updates++
		require.Equal(t, map[string]bool{"generator": true}, present(t, away))
	}
	want, _ := distil(t, stays)
	got, _ := distil(t, task)
	require.Equal(t, 2, updates)
	require.Equal(t, numbers(t, want), numbers(t, got))

	rated, err := dualprocess.Evaluate(t.Context(), dualprocess.Evaluation{
		Runtime: away, Generator: task.Generator, Verifier: task.Verifier, Adapter: got,
		Prompts: task.Prompts[:1], Questions: task.Questions, Seeds: []int64{1},
	})
	require.NoError(t, err)
	require.NotEmpty(t, rated)
	require.Equal(t, map[string]bool{"verifier": true}, present(t, away))
}

// TestOffloadPlan: the peak is that of one model with its half of the update, and Plan
// names the setting.
func TestOffloadPlan(t *testing.T) {
	needs := func(offload bool) *dualprocess.Needs {
		rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cpu", Memory: 1 << 40, Offload: offload})
		require.NoError(t, err)
		defer func() { require.NoError(t, rt.Close()) }()
		task := embeddedTask(t, rt)
		task.Split = offload
		n, err := dualprocess.Plan(t.Context(), task)
		require.NoError(t, err)
		return n
	}
	stays, away := needs(false), needs(true)
	last := stays.Switches[len(stays.Switches)-1]
	require.Contains(t, last.Setting, "Offload")
	require.Less(t, away.Peak(), stays.Peak())
	require.Less(t, last.Peak, stays.Peak())
	require.LessOrEqual(t, last.Peak, away.Peak(), "which keeps activations")
	for _, p := range away.Phases {
		require.Less(t, p.Resident, stays.Phases[2].Resident, p.Phase)
	}
}
