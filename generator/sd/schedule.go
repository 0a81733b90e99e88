package sd

import (
	"errors"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// SchedulerConfig says how much noise the steps of the model's training have. The
// fields are those of diffusers' scheduler_config.json. Whatever the file's class,
// sampling is by DDIM (Song et al. 2021), as in the paper, and fields left out are
// DDIM's.
type SchedulerConfig struct {
	Class          string  `json:"_class_name"`
	TrainTimesteps int     `json:"num_train_timesteps"`
	BetaStart      float64 `json:"beta_start"`
	BetaEnd        float64 `json:"beta_end"`
	BetaSchedule   string  `json:"beta_schedule"`
	AlphaToOne     bool    `json:"set_alpha_to_one"` // after the last step no noise is left; else that of timestep 0
	Spacing        string  `json:"timestep_spacing"`
	Prediction     string  `json:"prediction_type"`

	TrainedBetas any  `json:"trained_betas"`
	Thresholding bool `json:"thresholding"`
	RescaleBetas bool `json:"rescale_betas_zero_snr"`
	SkipPRK      any  `json:"skip_prk_steps"` // of PNDM alone

	// The pipeline overrules what the file says of these: an offset of 1, and no
	// clipping, which is for pixels and not for latents.
	Offset     any `json:"steps_offset"`
	ClipSample any `json:"clip_sample"`

	ClipRange      any `json:"clip_sample_range"`          // of ClipSample
	ThresholdRatio any `json:"dynamic_thresholding_ratio"` // of Thresholding
	ThresholdMax   any `json:"sample_max_value"`           // of Thresholding
	Version        any `json:"_diffusers_version"`
	NameOrPath     any `json:"_name_or_path"`
}

// What a U-Net may predict.
const (
	predictsNoise    = "epsilon"
	predictsClean    = "sample"
	predictsVelocity = "v_prediction"
)

// stepsOffset is added to timesteps by the pipeline.
const stepsOffset = 1

// defaultScheduler is what diffusers fills in.
func defaultScheduler() SchedulerConfig {
	return SchedulerConfig{
		TrainTimesteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02, BetaSchedule: "linear",
		AlphaToOne: true, Spacing: "leading", Prediction: predictsNoise,
	}
}

func (c *SchedulerConfig) check() error {
	if c.TrainTimesteps < 2 || c.TrainTimesteps > 1<<16 {
		return fmt.Errorf("%w: num_train_timesteps is %d", hf.ErrConfig, c.TrainTimesteps)
	}
	if !(c.BetaStart > 0 && c.BetaStart <= c.BetaEnd && c.BetaEnd < 1) {
		return fmt.Errorf("%w: beta_start is %v and beta_end %v", hf.ErrConfig, c.BetaStart, c.BetaEnd)
	}
	return errors.Join(
		hf.Require("_class_name", c.Class, "PNDMScheduler", "DDIMScheduler"),
		hf.Require("beta_schedule", c.BetaSchedule, "linear", "scaled_linear"),
		hf.Absent("trained_betas", c.TrainedBetas),
		hf.Require("timestep_spacing", c.Spacing, "leading", "trailing", "linspace"),
		hf.Require("prediction_type", c.Prediction, predictsNoise, predictsClean, predictsVelocity),
		hf.Require("thresholding", c.Thresholding, false),
		hf.Require("rescale_betas_zero_snr", c.RescaleBetas, false),
	)
}

// Alphas returns, per timestep of the training, the part of the clean latents'
// variance in the noisy ones, ᾱ. float32 as in the reference, but for the running
// product.
func (c SchedulerConfig) Alphas() []float32 {
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

// Timesteps returns the n timesteps of a sampling, from noise to clean. They are
// known to the training if n is less than TrainTimesteps.
func (c SchedulerConfig) Timesteps(n int) []int {
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

// schedule tabulates the sampler's steps and, behind them, the levels of the
// model's training, which Predict, Clean and Noise know as well.
type schedule struct {
	prediction   string
	times        []float32 // timesteps, which the U-Net is told
	clean, noise []float32 // √ᾱ and √(1-ᾱ): the latents are clean·x₀ + noise·ε
	nextClean    []float32 // the same after a step of the sampler
	nextNoise    []float32
}

func newSchedule(c SchedulerConfig, steps int) schedule {
	s, alphas := schedule{prediction: c.Prediction}, c.Alphas()
	for _, t := range c.Timesteps(steps) {
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
