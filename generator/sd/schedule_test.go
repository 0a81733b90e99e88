package sd

import (
	"encoding/json"
	"fmt"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// TestSchedules lists what diffusers' DDIMScheduler gives in seven steps: their
// times, and the clean and the next latents of the first and the last step, for
// latents [1.5, -0.25] and a prediction [0.5, 2].
func TestSchedules(t *testing.T) {
	leading := []int{853, 711, 569, 427, 285, 143, 1}
	rt := golden.Plain(t)
	for _, test := range []struct {
		fields      string // besides those of Stable Diffusion
		times       []int
		clean, next [2][]float32
	}{
		{`"set_alpha_to_one": true`, leading,
			[2][]float32{{6.684142, -14.802882}, {1.4806223, -0.3328422}}, [2][]float32{{2.323966, -2.159904}, {1.4806223, -0.3328422}}},
		{`"prediction_type": "v_prediction", "set_alpha_to_one": false`, leading,
			[2][]float32{{-0.2686191, -2.0148473}, {1.4780818, -0.3323454}}, [2][]float32{{1.4236499, -0.503976}, {1.4938239, -0.2742444}}},
		{`"prediction_type": "sample", "set_alpha_to_one": false`, leading,
			[2][]float32{{0.5, 2}, {0.5, 2}}, [2][]float32{{1.5231788, 0.0159087}, {1.2063785, 0.4112012}}},
		{`"timestep_spacing": "trailing"`, []int{999, 856, 713, 570, 428, 285, 142},
			[2][]float32{{14.665905, -32.891502}, {1.4185805, -1.14906}}, [2][]float32{{2.658969, -2.8761406}, {1.432555, -1.0902611}}},
		{`"timestep_spacing": "linspace"`, []int{999, 832, 666, 500, 333, 166, 0},
			[2][]float32{{14.665905, -32.891502}, {1.4860542, -0.3084414}}, [2][]float32{{2.658969, -2.8761406}, {1.4860542, -0.3084414}}},
		{`"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02`, leading,
			[2][]float32{{40.112442, -90.214027}, {1.492749, -0.2796916}}, [2][]float32{{3.5720079, -4.9182187}, {1.492749, -0.2796916}}},
	} {
		t.Run(test.fields, func(t *testing.T) {
			c := defaultScheduler()
			const common = `"_class_name": "DDIMScheduler", "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", `
			require.NoError(t, json.Unmarshal([]byte("{"+common+test.fields+"}"), &c))
			require.NoError(t, c.check())
			require.Equal(t, test.times, c.timesteps(7))
			g := &Generator{schedule: newSchedule(c, 7)}
			got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
				out := golden.Outputs{}
				for k, i := range in[2:] {
					out[fmt.Sprint("time", k)] = pipeline.At(g.schedule.times, i)
					out[fmt.Sprint("clean", k)] = g.Clean(in[0], in[1], i)
					out[fmt.Sprint("next", k)] = g.Step(in[0], in[1], i)
				}
				return out
			}, []float32{1.5, -0.25}, []float32{0.5, 2}, int32(0), int32(6))
			for k := range 2 {
				require.Equal(t, []float32{float32(test.times[6*k])}, got.Floats(t, fmt.Sprint("time", k)))
				require.NoError(t, golden.Close(got.Floats(t, fmt.Sprint("clean", k)), test.clean[k], 2e-6))
				require.NoError(t, golden.Close(got.Floats(t, fmt.Sprint("next", k)), test.next[k], 2e-6))
			}
		})
	}
}

// TestOtherSchedulers: the noise schedule does not depend on the sampler that the folder
// names, and the timesteps are laid as the file says or, where it doesn't, as DDIM's.
func TestOtherSchedulers(t *testing.T) {
	f := pipelinetest.Find(t, family)[0]
	base, err := readConfig(f.Model(t, "model"))
	require.NoError(t, err)
	for name, spacing := range map[string]string{
		"sd_EulerDiscreteScheduler": "leading", "sd_DPMSolverMultistepScheduler": "leading",
		"rewritten/diffusers_0.42_EulerDiscreteScheduler/sd14": "linspace", "rewritten/diffusers_0.42_DPMSolverMultistepScheduler/sd14": "linspace",
		"rewritten/diffusers_0.42_DPMSolverSinglestepScheduler/sd14": "leading",
	} {
		c, err := readConfig(f.Changed(t, "model", name))
		require.NoError(t, err)
		require.Equal(t, base.Scheduler.alphas(), c.Scheduler.alphas(), name)
		require.Equal(t, spacing, c.Scheduler.Spacing, name)
		require.Equal(t, predictsNoise, c.Scheduler.Prediction, name)
	}
}
