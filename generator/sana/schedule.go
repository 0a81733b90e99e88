package sana

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// schedule is the grid of noise levels. What is distilled and what is sampled are at
// the same levels. (The paper's reference takes steps on one grid and tells the
// transformer those of another.)
type schedule struct {
	pipeline.Flow
	look []float32 // how much a step adds of the change of the clean estimate since the step before
}

func newSchedule(c schedulerConfig, solver Solver, steps int) schedule {
	sigmas, times := c.eulerSigmas(steps), []float32(nil)
	if solver == DPM {
		sigmas, times = c.dpmSigmas(steps)
	}
	s := schedule{pipeline.NewFlow(sigmas, c.levels(c.TrainTimesteps), c.timestep), make([]float32, steps)}
	copy(s.Times, times)
	if solver == DPM {
		for i := 1; i < steps-1; i++ {
			s.look[i] = lookBack(s.Sigmas[i-1], s.Sigmas[i], s.Next[i])
		}
	}
	return s
}

// levels returns n noise levels in equal steps from 1 to 1/n, shifted: with
// n = TrainTimesteps those of the model's training.
func (c schedulerConfig) levels(n int) []float32 {
	return pipeline.FlowMatchEuler{Shift: c.Shift}.Sigmas(n, 0)
}

// eulerSigmas returns the noise levels of n steps as diffusers' FlowMatchEuler has
// them: in equal steps from 1 to the least one of the training, and shifted. As
// that is a shifted one already, the end is shifted twice.
func (c schedulerConfig) eulerSigmas(n int) []float32 {
	levels := c.levels(c.TrainTimesteps)
	steps, sigmas := float64(c.TrainTimesteps), make([]float32, n)
	most, least := float64(levels[0])*steps, float64(levels[len(levels)-1])*steps
	for k := range sigmas {
		sigmas[k] = float32(c.shifted(pipeline.Linspace(most, least, k, n) / steps))
	}
	return sigmas
}

// dpmSigmas returns the noise levels of n steps as diffusers' DPMSolverMultistep
// has them for flows, from nearly 1 down, and their timesteps, which are whole.
func (c schedulerConfig) dpmSigmas(n int) (sigmas, times []float32) {
	for k := range n {
		sigma := c.shifted(1 - pipeline.Linspace(1, 1/float64(c.TrainTimesteps), n-k, n+1))
		sigmas = append(sigmas, float32(sigma))
		times = append(times, float32(math.Trunc(sigma*float64(c.TrainTimesteps))))
	}
	return sigmas, times
}

// shifted moves a level towards noise. The conversions keep compilers from fusing
// operations: timesteps are cut to whole numbers, where the last bit may count.
func (c schedulerConfig) shifted(sigma float64) float64 {
	return float64(c.Shift*sigma) / (1 + float64((c.Shift-1)*sigma))
}

// timestep is what the transformer is told of a level: 1000 for pure noise.
func (c schedulerConfig) timestep(sigma float32) float32 { return sigma * float32(c.TrainTimesteps) }

// lookBack is the factor of DPM-Solver++ 2M (Lu et al., 2022, algorithm 2, midpoint
// form) for a step from the level sigma to next, the step before having begun at
// previous: the step of first order, which for a flow is Euler's, is corrected by
// factor·(x₀ - x₀ of the step before).
func lookBack(previous, sigma, next float32) float32 {
	// λ = ln(α/σ) with α = 1 - σ: half the logarithm of the signal-to-noise ratio.
	lambda := func(sigma float32) float64 { return math.Log(1-float64(sigma)) - math.Log(float64(sigma)) }
	h, before := lambda(next)-lambda(sigma), lambda(sigma)-lambda(previous)
	return float32(-0.5 * (1 - float64(next)) * math.Expm1(-h) * h / before)
}
