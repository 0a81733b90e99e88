package sd

import (
	"errors"
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// ddim is the scheduler that we sample by.
const ddim = "DDIMScheduler"

// schedulers are the classes whose noise schedules are read: that of the training is
// the same thing in all of them.
var schedulers = []string{
	ddim, "PNDMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "LMSDiscreteScheduler",
	"DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler",
}

// schedulerConfig says how much noise the steps of the model's training have. The
// fields are those of diffusers' scheduler_config.json. Whatever the file's class,
// sampling is by DDIM (Song et al. 2021), as in the paper, and fields left out are
// DDIM's, as in diffusers where one scheduler is made of another's configuration.
type schedulerConfig struct {
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
	samplerConfig

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

// samplerConfig are the fields of other schedulers than DDIM.
type samplerConfig struct {
	// These change the noise of the training, or what the network is told of it.

	FlowSigmas    bool   `json:"use_flow_sigmas"`
	DynamicShift  bool   `json:"use_dynamic_shifting"`
	TimestepType  string `json:"timestep_type"`
	SigmaMin      any    `json:"sigma_min"`
	SigmaMax      any    `json:"sigma_max"`
	ShiftTerminal any    `json:"shift_terminal"`

	// These are about how a sampler steps from level to level, and we have our own.

	SkipPRK           any `json:"skip_prk_steps"`
	Karras            any `json:"use_karras_sigmas"`
	Exponential       any `json:"use_exponential_sigmas"`
	Beta              any `json:"use_beta_sigmas"`
	Lu                any `json:"use_lu_lambdas"`
	LambdaMin         any `json:"lambda_min_clipped"`
	Interpolation     any `json:"interpolation_type"`
	Variance          any `json:"variance_type"` // a learnt one has channels of its own, which check counts
	FinalSigmas       any `json:"final_sigmas_type"`
	Order             any `json:"solver_order"`
	Algorithm         any `json:"algorithm_type"`
	SolverType        any `json:"solver_type"`
	SolverP           any `json:"solver_p"`
	PredictX0         any `json:"predict_x0"`
	DisableCorrector  any `json:"disable_corrector"`
	LowerOrderFinal   any `json:"lower_order_final"`
	EulerAtFinal      any `json:"euler_at_final"`
	FlowShift         any `json:"flow_shift"`      // of FlowSigmas
	DynamicShiftShape any `json:"time_shift_type"` // of DynamicShift
}

// check names the fields that change the noise schedule.
func (c samplerConfig) check() error {
	return errors.Join(
		hf.Require("use_flow_sigmas", c.FlowSigmas, false),
		hf.Require("use_dynamic_shifting", c.DynamicShift, false),
		hf.Require("timestep_type", c.TimestepType, "", "discrete"),
		hf.Absent("sigma_min", c.SigmaMin),
		hf.Absent("sigma_max", c.SigmaMax),
		hf.Absent("shift_terminal", c.ShiftTerminal),
	)
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
func defaultScheduler() schedulerConfig {
	return schedulerConfig{
		TrainTimesteps: 1000, BetaStart: 1e-4, BetaEnd: 0.02, BetaSchedule: "linear",
		AlphaToOne: true, Spacing: "leading", Prediction: predictsNoise,
	}
}

func (c *schedulerConfig) check() error {
	if c.TrainTimesteps < 2 || c.TrainTimesteps > 1<<16 {
		return fmt.Errorf("%w: num_train_timesteps is %d", hf.ErrConfig, c.TrainTimesteps)
	}
	if !(c.BetaStart > 0 && c.BetaStart <= c.BetaEnd && c.BetaEnd < 1) {
		return fmt.Errorf("%w: beta_start is %v and beta_end %v", hf.ErrConfig, c.BetaStart, c.BetaEnd)
	}
	return errors.Join(
		hf.Require("_class_name", c.Class, schedulers...),
		hf.Require("beta_schedule", c.BetaSchedule, "linear", "scaled_linear"),
		hf.Absent("trained_betas", c.TrainedBetas),
		hf.Require("timestep_spacing", c.Spacing, "leading", "trailing", "linspace"),
		hf.Require("prediction_type", c.Prediction, predictsNoise, predictsClean, predictsVelocity),
		hf.Require("thresholding", c.Thresholding, false),
		hf.Require("rescale_betas_zero_snr", c.RescaleBetas, false),
		c.samplerConfig.check(),
	)
}
