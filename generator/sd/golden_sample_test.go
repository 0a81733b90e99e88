package sd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// testSampling compares full samplings: latents after every step, and pictures.
func (r *reference) testSampling(t *testing.T) {
	r.Samplings(t, func(t *testing.T, kind string, steps int) {
		require.Equal(t, "ref", kind)
		g := r.open(t, Options{Steps: steps, Guidance: &r.About.Spec.Guidance})
		latents, picture := r.Sampler(t, g, r.conditions(t, g), nil).Run(t, nil, 0)
		r.CompareSampling(t, kind, latents, picture, func(key, part string) {
			require.Equal(t, "sched_timesteps", part)
			require.Equal(t, r.timesteps(t, key), g.config.Scheduler.timesteps(g.Steps()))
		})
	})
}

// testLatentGradients compares gradients with respect to the start noise.
func (r *reference) testLatentGradients(t *testing.T) {
	r.LatentGradients(t, func(t *testing.T, steps int) (pipelinetest.Generator, dualprocess.Inputs, func(string)) {
		g := r.open(t, Options{Steps: steps, Guidance: &r.About.Spec.TrainGuidance})
		return g, r.conditions(t, g), func(key string) {
			require.Equal(t, r.timesteps(t, key), g.config.Scheduler.timesteps(2))
		}
	})
}
