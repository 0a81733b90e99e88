package sana

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Pipeline names the Sana generator in model_index.json.
const Pipeline = "SanaPipeline"

// config of a Sana generator: the JSON files of its folder.
type config struct {
	Transformer transformerConfig    // transformer/config.json
	Autoencoder autoencoder.DCConfig // vae/config.json
	Scheduler   schedulerConfig      // scheduler/scheduler_config.json
	Gemma       decoder.Config       // text_encoder/config.json
}

// transformerConfig sizes the transformer. The fields are those of diffusers'
// config.json.
type transformerConfig struct {
	Class          string   `json:"_class_name"`
	PatchSize      int      `json:"patch_size"`
	InChannels     int      `json:"in_channels"`
	OutChannels    *int     `json:"out_channels"` // nil = InChannels
	Layers         int      `json:"num_layers"`
	Heads          int      `json:"num_attention_heads"`
	HeadWidth      int      `json:"attention_head_dim"`
	CrossHeads     *int     `json:"num_cross_attention_heads"`
	CrossHeadWidth *int     `json:"cross_attention_head_dim"`
	CrossWidth     *int     `json:"cross_attention_dim"`
	TextWidth      int      `json:"caption_channels"`
	Ratio          float64  `json:"mlp_ratio"` // inner channels of the gated convolutions over the stream's
	AttentionBias  bool     `json:"attention_bias"`
	Affine         bool     `json:"norm_elementwise_affine"`
	Epsilon        float64  `json:"norm_eps"`
	Interpolation  *float64 `json:"interpolation_scale"` // of positions; nil = there are none
	Guidance       bool     `json:"guidance_embeds"`
	QKNorm         *string  `json:"qk_norm"`
	TimeScale      float64  `json:"timestep_scale"`
	SampleSize     int      `json:"sample_size"` // of the training's latents

	Dropout       any `json:"dropout"`               // of the training
	GuidanceScale any `json:"guidance_embeds_scale"` // of Guidance
	Version       any `json:"_diffusers_version"`
	NameOrPath    any `json:"_name_or_path"`
}

// width is that of the residual stream.
func (c transformerConfig) width() int { return c.Heads * c.HeadWidth }

// inner is the number of channels inside the gated convolutions.
func (c transformerConfig) inner() int { return int(c.Ratio * float64(c.width())) }

// parts are the classes that the parts of a Sana folder must have.
var parts = map[string]pipeline.Part{
	"scheduler":    {Classes: []string{dpmClass, eulerClass}},
	"text_encoder": {Classes: []string{"Gemma2Model", "Gemma2ForCausalLM"}},
	"tokenizer":    {Classes: []string{"GemmaTokenizer", "GemmaTokenizerFast"}},
	"transformer":  {Classes: []string{"SanaTransformer2DModel"}},
	"vae":          {Classes: []string{"AutoencoderDC"}},
}

// readConfig reads the JSON files of a Sana folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	c.Transformer = transformerConfig{ // what diffusers fills in
		PatchSize: 1, InChannels: 32, OutChannels: new(32), Layers: 20, Heads: 70, HeadWidth: 32,
		CrossHeads: new(20), CrossHeadWidth: new(112), CrossWidth: new(2240), TextWidth: 2304,
		Ratio: 2.5, Epsilon: 1e-6, TimeScale: 1, SampleSize: 32,
	}
	if err := pipeline.ReadConfig(fsys, "transformer/config.json", &c.Transformer, c.Transformer.check); err != nil {
		return c, err
	}
	if c.Scheduler, err = readScheduler(fsys); err != nil {
		return c, err
	}
	if c.Autoencoder, err = autoencoder.ReadDCConfig(fsys, "vae"); err != nil {
		return c, err
	}
	if c.Gemma, err = text.ReadGemmaConfig(fsys, "text_encoder"); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *transformerConfig) check() error {
	sizes := []hf.Size{
		{Name: "in_channels", Value: c.InChannels, Limit: 1 << 12},
		{Name: "num_layers", Value: c.Layers, Limit: 1 << 10},
		{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 12},
		{Name: "attention_head_dim", Value: c.HeadWidth, Limit: 1 << 12},
		{Name: "caption_channels", Value: c.TextWidth, Limit: 1 << 16},
		{Name: "sample_size", Value: c.SampleSize, Limit: 1 << 12},
	}
	for name, field := range map[string]*int{
		"num_cross_attention_heads": c.CrossHeads, "cross_attention_head_dim": c.CrossHeadWidth, "cross_attention_dim": c.CrossWidth,
	} {
		if field == nil {
			return fmt.Errorf("%w: %s is null", hf.ErrConfig, name)
		}
		sizes = append(sizes, hf.Size{Name: name, Value: *field, Limit: 1 << 16})
	}
	if err := hf.CheckSizes(sizes...); err != nil {
		return err
	}
	if !(c.Ratio > 0 && c.Ratio <= 64 && c.inner() > 0) {
		return fmt.Errorf("%w: mlp_ratio is %v", hf.ErrConfig, c.Ratio)
	}
	if !(c.Epsilon > 0 && c.Epsilon < 1) {
		return fmt.Errorf("%w: norm_eps is %v", hf.ErrConfig, c.Epsilon)
	}
	if !(c.TimeScale > 0 && c.TimeScale <= 1000) {
		return fmt.Errorf("%w: timestep_scale is %v", hf.ErrConfig, c.TimeScale)
	}
	return errors.Join(
		hf.Require("_class_name", c.Class, "SanaTransformer2DModel"),
		hf.Require("patch_size", c.PatchSize, 1),
		hf.EqualIfGiven("out_channels", c.OutChannels, "in_channels", c.InChannels),
		hf.Equal("cross_attention_dim", *c.CrossWidth, "num_attention_heads times attention_head_dim", c.width()),
		hf.Require("norm_elementwise_affine", c.Affine, false),
		hf.Absent("interpolation_scale", c.Interpolation),
		hf.Require("guidance_embeds", c.Guidance, false),
		hf.Absent("qk_norm", c.QKNorm),
	)
}

// check compares the parts with each other.
func (c config) check() error {
	return errors.Join(
		hf.Equal("transformer: in_channels", c.Transformer.InChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("transformer: caption_channels", c.Transformer.TextWidth, "text_encoder: hidden_size", c.Gemma.Hidden),
	)
}

// The classes of schedulers.
const (
	dpmClass   = "DPMSolverMultistepScheduler"
	eulerClass = pipeline.FlowMatchEulerClass
)

// schedulerConfig says how noise levels lie between 1 and 0, and by which solver a
// sampler goes from one to the next: what is left of either class' fields in
// scheduler_config.json when all others have the values that we support.
type schedulerConfig struct {
	Class          string
	TrainTimesteps int
	Shift          float64 // of the noise levels, towards noise
}

// dpmConfig are the fields of DPM-Solver.
type dpmConfig struct {
	Class          string   `json:"_class_name"`
	TrainTimesteps int      `json:"num_train_timesteps"`
	FlowShift      float64  `json:"flow_shift"`
	FlowSigmas     bool     `json:"use_flow_sigmas"`
	Prediction     string   `json:"prediction_type"`
	Algorithm      string   `json:"algorithm_type"`
	Order          int      `json:"solver_order"`
	SolverType     string   `json:"solver_type"`
	FinalSigmas    string   `json:"final_sigmas_type"`
	Thresholding   bool     `json:"thresholding"`
	Karras         bool     `json:"use_karras_sigmas"`
	Exponential    bool     `json:"use_exponential_sigmas"`
	Beta           bool     `json:"use_beta_sigmas"`
	Lu             bool     `json:"use_lu_lambdas"`
	Dynamic        bool     `json:"use_dynamic_shifting"`
	LambdaMin      *float64 `json:"lambda_min_clipped"` // nil = minus infinity

	// These change nothing for a flow whose last noise level is 0.
	BetaStart       any `json:"beta_start"`
	BetaEnd         any `json:"beta_end"`
	BetaSchedule    any `json:"beta_schedule"`
	TrainedBetas    any `json:"trained_betas"`
	RescaleBetas    any `json:"rescale_betas_zero_snr"`
	ThresholdRatio  any `json:"dynamic_thresholding_ratio"` // of Thresholding
	ThresholdMax    any `json:"sample_max_value"`           // of Thresholding
	LowerOrderFinal any `json:"lower_order_final"`          // the last step is of first order anyway
	EulerAtFinal    any `json:"euler_at_final"`             // the same
	Spacing         any `json:"timestep_spacing"`
	StepsOffset     any `json:"steps_offset"`
	VarianceType    any `json:"variance_type"`
	ShiftType       any `json:"time_shift_type"` // of Dynamic
	Version         any `json:"_diffusers_version"`
	NameOrPath      any `json:"_name_or_path"`
}

// readScheduler reads the configuration of either class.
func readScheduler(fsys fs.FS) (schedulerConfig, error) {
	const file = pipeline.SchedulerFile
	class, err := hf.ReadField[string](fsys, file, "_class_name")
	switch {
	case err != nil:
		return schedulerConfig{}, err
	case class == eulerClass:
		c, err := pipeline.ReadFlowMatchEuler(fsys)
		if err == nil {
			err = hf.Within(file, hf.Require("use_dynamic_shifting", c.Dynamic, false))
		}
		return schedulerConfig{c.Class, c.TrainTimesteps, c.Shift}, err
	case class == dpmClass:
		c := dpmConfig{ // what diffusers fills in
			TrainTimesteps: 1000, FlowShift: 1, Prediction: "epsilon", Algorithm: "dpmsolver++", Order: 2,
			SolverType: "midpoint", FinalSigmas: "zero",
		}
		err := pipeline.ReadConfig(fsys, file, &c, c.check)
		return schedulerConfig{c.Class, c.TrainTimesteps, c.FlowShift}, err
	}
	return schedulerConfig{}, hf.Within(file, hf.Require("_class_name", class, dpmClass, eulerClass))
}

func (c *dpmConfig) check() error {
	return errors.Join(
		hf.CheckSizes(hf.Size{Name: "num_train_timesteps", Value: c.TrainTimesteps, Limit: 1 << 16}),
		hf.Check(c.FlowShift > 0 && c.FlowShift < 1e3, "flow_shift is %v, want more than 0 and less than 1000", c.FlowShift),
		hf.Require("use_flow_sigmas", c.FlowSigmas, true),
		hf.Require("prediction_type", c.Prediction, "flow_prediction"),
		hf.Require("algorithm_type", c.Algorithm, "dpmsolver++"),
		hf.Require("solver_order", c.Order, 2),
		hf.Require("solver_type", c.SolverType, "midpoint"),
		hf.Require("final_sigmas_type", c.FinalSigmas, "zero"),
		hf.Require("thresholding", c.Thresholding, false),
		hf.Require("use_karras_sigmas", c.Karras, false),
		hf.Require("use_exponential_sigmas", c.Exponential, false),
		hf.Require("use_beta_sigmas", c.Beta, false),
		hf.Require("use_lu_lambdas", c.Lu, false),
		hf.Require("use_dynamic_shifting", c.Dynamic, false),
		hf.Absent("lambda_min_clipped", c.LambdaMin),
	)
}
