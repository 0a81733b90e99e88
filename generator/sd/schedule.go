package sd

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// alphas returns, per timestep of the training, the part of the clean latents'
// variance in the noisy ones, ᾱ. float32 as in the reference, but for the running
// product.
func (c schedulerConfig) alphas() []float32 {
	start, end := c.BetaStart, c.BetaEnd
	if c.BetaSchedule == "scaled_linear" {
		start, end = math.Sqrt(start), math.Sqrt(end)
	}
	alphas, product := make([]float32, c.TrainTimesteps), 1.0
	for t := range alphas {
		beta := evenly(float32(start), float32(end), t, c.TrainTimesteps)
		if c.BetaSchedule == "scaled_linear" {
			beta *= beta
		}
		product *= float64(1 - beta)
		alphas[t] = float32(product)
	}
	return alphas
}

// evenly is number i of n from start to end, counted from the nearer end as in
// torch.linspace.
func evenly(start, end float32, i, n int) float32 {
	if n == 1 {
		return start
	}
	step := (end - start) / float32(n-1)
	if i < n/2 {
		return start + step*float32(i)
	}
	return end - step*float32(n-1-i)
}

// timesteps returns the n timesteps of a sampling, from noise to clean. They are
// known to the training if n is less than TrainTimesteps.
func (c schedulerConfig) timesteps(n int) []int {
	steps := make([]int, n)
	for k := range steps {
		switch c.Spacing {
		case "linspace":
			if steps[k] = 0; n > 1 {
				steps[k] = int(math.RoundToEven(float64(n-1-k) * (float64(c.TrainTimesteps-1) / float64(n-1))))
			}
		case "trailing":
			ratio := float64(c.TrainTimesteps) / float64(n)
			steps[k] = int(math.RoundToEven(float64(c.TrainTimesteps)-float64(k)*ratio)) - 1
		default:
			steps[k] = (n-1-k)*(c.TrainTimesteps/n) + stepsOffset
		}
	}
	return steps
}

// schedule tabulates the sampler's steps and, after them, the levels of the
// model's training, which Predict, Clean and Noise know as well.
type schedule struct {
	prediction   string
	times        []float32 // timesteps, which the U-Net is told
	clean, noise []float32 // √ᾱ and √(1-ᾱ): the latents are clean·x₀ + noise·ε
	nextClean    []float32 // the same after a step of the sampler
	nextNoise    []float32
}

func newSchedule(c schedulerConfig, steps int) schedule {
	s, alphas := schedule{prediction: c.Prediction}, c.alphas()
	for _, t := range c.timesteps(steps) {
		s.add(t, alphas[t])
		final := alphas[0]
		if c.AlphaToOne {
			final = 1
		}
		if next := t - c.TrainTimesteps/steps; next >= 0 {
			final = alphas[next]
		}
		s.nextClean = append(s.nextClean, root(final))
		s.nextNoise = append(s.nextNoise, root(1-final))
	}
	for t := c.TrainTimesteps - 1; t >= 0; t-- {
		s.add(t, alphas[t])
	}
	return s
}

func (s *schedule) add(timestep int, alpha float32) {
	s.times = append(s.times, float32(timestep))
	s.clean, s.noise = append(s.clean, root(alpha)), append(s.noise, root(1-alpha))
}

func root(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// original returns the clean latents and the noise that a prediction for latents
// at i implies.
func (s *schedule) original(latents, prediction, i *Node) (clean, noise *Node) {
	a, b := pipeline.At(s.clean, i), pipeline.At(s.noise, i)
	switch s.prediction {
	case predictsClean:
		return prediction, Div(Sub(latents, Mul(a, prediction)), b)
	case predictsVelocity:
		return Sub(Mul(a, latents), Mul(b, prediction)), Add(Mul(a, prediction), Mul(b, latents))
	}
	return Div(Sub(latents, Mul(b, prediction)), a), prediction
}
