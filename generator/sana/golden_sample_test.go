package sana

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
		var shift int
		o := r.paper(steps, r.About.Spec.Guidance)
		switch {
		case kind == "ref":
		case scan(kind, "euler_shift%d_chi", &shift):
			o.Shift, o.Instruction = float64(shift), nil
		case kind == "dpm_chi": // all as the pipeline has it
			o = Options{Steps: steps, Guidance: o.Guidance}
		default:
			require.Fail(t, "unknown sampling")
		}
		g := r.open(t, o)
		latents, picture := r.Sampler(t, g, r.cond(t, g), nil).Run(t, nil, 0)
		r.CompareSampling(t, kind, latents, picture, func(key, part string) {
			switch part {
			case "sched_timesteps":
				r.Compare(t, key, g.schedule.Times[:steps], 1.2e-7)
			case "sched_sigmas":
				r.Compare(t, key, append(slices.Clone(g.schedule.Sigmas[:steps]), g.schedule.Next[steps-1]), 1.2e-7)
			default:
				require.Fail(t, "nobody compares this", key)
			}
		})
	})
}

// testLatentGradients compares gradients with respect to the start noise.
func (r *reference) testLatentGradients(t *testing.T) {
	r.LatentGradients(t, func(t *testing.T, steps int) (pipelinetest.Generator, dualprocess.Inputs, func(string)) {
		g := r.open(t, r.paper(steps, r.About.Spec.TrainGuidance))
		return g, r.cond(t, g), func(key string) { r.Compare(t, key, g.schedule.Times[:2], 1e-6) }
	})
}
