package sana

import "math"

// schedule is the grid of noise levels: the sampler's steps and, behind them, the
// levels of the model's training, which Predict, Clean and Noise know as well.
// What is distilled and what is sampled are at the same levels. (The paper's
// reference takes steps on one grid and tells the transformer those of another.)
type schedule struct {
	sigmas []float32 // noise levels, from nearly 1 down
	next   []float32 // after a step of the sampler; 0 after the last
	times  []float32 // timesteps, which the transformer is told: 1000 for pure noise
	look   []float32 // how much a step adds of the change of the clean estimate since the step before
}

func newSchedule(c SchedulerConfig, solver Solver, steps int) schedule {
	var s schedule
	if solver == DPM {
		s.sigmas, s.times = c.DPMSigmas(steps)
	} else {
		s.sigmas = c.EulerSigmas(steps)
		s.times = c.timesteps(s.sigmas)
	}
	s.next = append(append(s.next, s.sigmas[1:]...), 0)
	s.look = make([]float32, steps)
	for i := range s.look {
		if solver == DPM && i > 0 && i < steps-1 {
			s.look[i] = lookBack(s.sigmas[i-1], s.sigmas[i], s.next[i])
		}
	}
	levels := c.Levels(c.TrainTimesteps)
	s.sigmas, s.times = append(s.sigmas, levels...), append(s.times, c.timesteps(levels)...)
	return s
}

// Levels returns n noise levels in equal steps from 1 to 1/n, shifted: with
// n = TrainTimesteps those of the model's training.
func (c SchedulerConfig) Levels(n int) []float32 {
	sigmas := make([]float32, n)
	for k := range sigmas {
		// The reference rounds the equal steps to float32 before it shifts them.
		even := float32(linspace(1, 1/float64(n), k, n))
		shift := float32(c.Shift)
		sigmas[k] = float32(shift*even) / (1 + float32((shift-1)*even))
	}
	return sigmas
}

// EulerSigmas returns the noise levels of n steps as diffusers' FlowMatchEuler has
// them: in equal steps from 1 to the least one of the training, and shifted. As
// that is a shifted one already, the end is shifted twice.
func (c SchedulerConfig) EulerSigmas(n int) []float32 {
	levels := c.Levels(c.TrainTimesteps)
	steps, sigmas := float64(c.TrainTimesteps), make([]float32, n)
	most, least := float64(levels[0])*steps, float64(levels[len(levels)-1])*steps
	for k := range sigmas {
		sigmas[k] = float32(c.shifted(linspace(most, least, k, n) / steps))
	}
	return sigmas
}

// DPMSigmas returns the noise levels of n steps as diffusers' DPMSolverMultistep
// has them for flows, from nearly 1 down, and their timesteps, which are whole.
func (c SchedulerConfig) DPMSigmas(n int) (sigmas, times []float32) {
	for k := range n {
		sigma := c.shifted(1 - linspace(1, 1/float64(c.TrainTimesteps), n-k, n+1))
		sigmas = append(sigmas, float32(sigma))
		times = append(times, float32(math.Trunc(sigma*float64(c.TrainTimesteps))))
	}
	return sigmas, times
}

// shifted moves a level towards noise. The conversions keep compilers from fusing
// operations: timesteps are cut to whole numbers, where the last bit may count.
func (c SchedulerConfig) shifted(sigma float64) float64 {
	return float64(c.Shift*sigma) / (1 + float64((c.Shift-1)*sigma))
}

// linspace is number k of n in equal steps from start to end, as numpy computes it.
func linspace(start, end float64, k, n int) float64 {
	switch {
	case n > 1 && k == n-1:
		return end
	case n > 1:
		return start + float64(float64(k)*((end-start)/float64(n-1)))
	}
	return start
}

// timesteps are what the transformer is told of levels.
func (c SchedulerConfig) timesteps(sigmas []float32) []float32 {
	times := make([]float32, len(sigmas))
	for k, sigma := range sigmas {
		times[k] = sigma * float32(c.TrainTimesteps)
	}
	return times
}

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
