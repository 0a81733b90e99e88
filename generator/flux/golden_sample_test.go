package flux

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
)

// testSampling compares full samplings: latents after every step, and pictures.
func (r *reference) testSampling(t *testing.T) {
	r.Samplings(t, func(t *testing.T, kind string, steps int) {
		require.Contains(t, []string{"ref", "dynamic"}, kind)
		o := r.static(t, steps, r.About.Spec.Guidance)
		o.StaticShift = kind == "ref"
		g := r.open(t, o)
		latents, picture := r.Sampler(t, g, r.cond, nil).Run(t, nil, 0)
		r.CompareSampling(t, kind, latents, picture, func(key, part string) {
			switch part {
			case "sched_timesteps":
				r.Compare(t, key, g.flow.Times[:steps], 1e-6)
			case "sched_sigmas":
				r.Compare(t, key, append(slices.Clone(g.flow.Sigmas[:steps]), g.flow.Next[steps-1]), 1e-7)
			default:
				require.Fail(t, "nobody compares this", key)
			}
		})
	})
}

// testLatentGradients compares gradients with respect to the start noise.
func (r *reference) testLatentGradients(t *testing.T) {
	r.LatentGradients(t, func(t *testing.T, steps int) (pipelinetest.Generator, dualprocess.Inputs, func(string)) {
		g := r.open(t, r.static(t, steps, r.About.Spec.TrainGuidance))
		return g, r.cond, func(key string) { r.Compare(t, key, g.flow.Times[:2], 1e-6) }
	})
}
