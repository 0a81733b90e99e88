package pipeline

import (
	"testing"
	"testing/fstest"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// TestFlow follows one straight line: with the true velocity every clean estimate is
// the clean latents, every step arrives where the next one starts, and the last at
// the clean latents. Levels of the training follow those of the steps.
func TestFlow(t *testing.T) {
	f := NewFlow([]float32{1, 0.75, 0.25}, []float32{1, 0.5}, func(sigma float32) float32 { return 1000 * sigma })
	require.Equal(t, []int{3, 2}, []int{f.Steps(), f.Levels()})
	rt := golden.Plain(t)
	at := func(i int) golden.Results {
		return golden.Run(t, rt, func(in []*Node) golden.Outputs {
			clean, noise, i := in[0], in[1], in[2]
			x, velocity := f.Noise(clean, noise, i), Sub(noise, clean)
			return golden.Outputs{"x": x, "clean": f.Clean(x, velocity, i), "next": f.Step(x, velocity, i), "time": f.Time(i)}
		}, []float32{4, -8}, []float32{1, 0}, int32(i))
	}
	clean, next := []float32{4, -8}, []float32{1, 0}
	for i, time := range []float32{1000, 750, 250} {
		got := at(i)
		require.Equal(t, next, got.Floats(t, "x"))
		require.Equal(t, clean, got.Floats(t, "clean"))
		require.Equal(t, []float32{time}, got.Floats(t, "time"))
		next = got.Floats(t, "next")
	}
	require.Equal(t, clean, next)
	level := at(f.Steps() + 1)
	require.Equal(t, []float32{2.5, -4}, level.Floats(t, "x"))
	require.Equal(t, clean, level.Floats(t, "clean"))
}

func TestFlowMatchEuler(t *testing.T) {
	read := func(fields string) (FlowMatchEuler, error) {
		return ReadFlowMatchEuler(fstest.MapFS{SchedulerFile: {Data: []byte(`{"_class_name": "FlowMatchEulerDiscreteScheduler"` + fields + `}`)}})
	}
	c, err := read(``)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 0.75, 0.5, 0.25}, c.Sigmas(4, 0))
	require.Equal(t, []float32{1}, c.Sigmas(1, 0))
	c, err = read(`, "shift": 3`)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 0.9, 0.75, 0.5}, c.Sigmas(4, 0))
	c, err = read(`, "use_dynamic_shifting": true`)
	require.NoError(t, err)
	require.InDelta(t, 0.5, c.Mu(256), 1e-9)
	require.InDelta(t, 1.15, c.Mu(4096), 1e-9)
	require.InDeltaSlice(t, []float32{1, 0.9, 0.75, 0.5}, c.Sigmas(4, 1.0986122886681098), 1e-6) // the logarithm of 3
	for field, value := range map[string]string{
		"shift": "0", "num_train_timesteps": "-1", "max_image_seq_len": "256", "time_shift_type": `"linear"`,
		"invert_sigmas": "true", "shift_terminal": "0.1", "use_karras_sigmas": "true", "use_exponential_sigmas": "true",
		"use_beta_sigmas": "true", "stochastic_sampling": "true", "_class_name": `"DDIMScheduler"`,
	} {
		_, err := read(`, "` + field + `": ` + value)
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, field)
		require.ErrorContains(t, err, SchedulerFile)
	}
	_, err = read(`, "new_field": 1`)
	require.ErrorContains(t, err, "new_field")
}
