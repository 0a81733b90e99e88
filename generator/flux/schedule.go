package flux

import "math"

// schedule is the grid of noise levels: the sampler's steps and, behind them, the
// levels of the model's training, which Predict, Clean and Noise know as well.
type schedule struct {
	sigmas []float32 // noise levels, from 1 down
	next   []float32 // after a step of the sampler; 0 after the last
	times  []float32 // what the transformer is told, 0 to 1000
}

func newSchedule(c SchedulerConfig, steps, tokens int) schedule {
	s := schedule{sigmas: c.Sigmas(steps, tokens)}
	s.next = append(s.next, s.sigmas[1:]...)
	s.next = append(s.next, 0)
	s.sigmas = append(s.sigmas, c.Sigmas(c.TrainTimesteps, tokens)...)
	for _, sigma := range s.sigmas {
		s.times = append(s.times, modelTime(sigma*float32(c.TrainTimesteps)))
	}
	return s
}

// modelTime is a timestep as it arrives in the transformer's sine waves: the
// pipeline divides by 1000 and the transformer multiplies, in float32. The waves
// are so fast that the rounding can be seen.
func modelTime(timestep float32) float32 {
	t := timestep / 1000
	return t * 1000
}

// Sigmas returns the noise levels of steps 0 to n-1 for pictures of so many
// tokens: from 1 in equal steps to 1/n, then shifted towards noise. float32 as in
// the reference, so that they agree in every bit.
func (c SchedulerConfig) Sigmas(n, tokens int) []float32 {
	sigmas := make([]float32, n)
	for k := range sigmas {
		even := 1.0
		if n > 1 {
			even += float64(k) * ((1/float64(n) - 1) / float64(n-1))
		}
		sigmas[k] = c.shifted(float32(even), tokens)
	}
	return sigmas
}

func (c SchedulerConfig) shifted(sigma float32, tokens int) float32 {
	if c.Dynamic {
		e := float32(math.Exp(c.mu(tokens)))
		return e / (e + (1/sigma - 1))
	}
	shift := float32(c.Shift)
	return float32(shift*sigma) / (1 + float32((shift-1)*sigma))
}

// mu is the logarithm of the dynamic shift: it grows linearly with the number of
// tokens, as larger pictures need more noise to hide what they show.
func (c SchedulerConfig) mu(tokens int) float64 {
	slope := (c.MaxShift - c.BaseShift) / float64(c.MaxTokens-c.BaseTokens)
	return c.BaseShift + slope*float64(tokens-c.BaseTokens)
}
