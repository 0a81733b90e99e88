package sanabase

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/gomlx/compute/dtypes"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Config is that of the parts: the JSON files of a folder but for the scheduler's.
type Config struct {
	Transformer TransformerConfig    // transformer/config.json
	Autoencoder autoencoder.DCConfig // vae/config.json
	Gemma       decoder.Config       // text_encoder/config.json
}

// TransformerConfig sizes the transformer. The fields are those of diffusers'
// config.json.
type TransformerConfig struct {
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
	Interpolation  *float64 `json:"interpolation_scale"`   // of positions; nil = there are none
	Guidance       bool     `json:"guidance_embeds"`       // the transformer is told a scale of guidance
	GuidanceScale  float64  `json:"guidance_embeds_scale"` // of what it is told
	QKNorm         *string  `json:"qk_norm"`               // nil = queries and keys are not normalised
	TimeScale      float64  `json:"timestep_scale"`
	SampleSize     int      `json:"sample_size"` // of the training's latents

	Dropout    any `json:"dropout"` // of the training
	Version    any `json:"_diffusers_version"`
	NameOrPath any `json:"_name_or_path"`
}

// Width is that of the residual stream.
func (c TransformerConfig) Width() int { return c.Heads * c.HeadWidth }

// inner is the number of channels inside the gated convolutions.
func (c TransformerConfig) inner() int { return int(c.Ratio * float64(c.Width())) }

// Activations estimates the bytes that the backward pass of one row of the
// transformer's batch keeps without checkpointing: per block and token some 20
// vectors, 12 in the gated convolution's 2·Ratio times the width, and the weights
// of the attention to the text in float32 twice.
func (c TransformerConfig) Activations(tokens, text int, dtype dtypes.DType) int {
	numbers := (20*c.Width() + 12*2*c.inner()) * dtype.Size()
	return c.Layers * tokens * (numbers + 8**c.CrossHeads*text)
}

// Preset suggests the paper's targets, all attention and the gated convolutions,
// and its learning rate for Sana.
func Preset() dualprocess.Preset {
	return dualprocess.Preset{
		LearningRate: 5e-6,
		Prefix:       "transformer",
		Targets:      []string{"to_k", "to_q", "to_v", "to_out.0", "ff.conv_inverted", "ff.conv_depth", "ff.conv_point"},
	}
}

// ReadConfig reads the JSON files of a folder whose scheduler is of one of the classes.
// guidance says whether its transformer must be told a scale of guidance, or must not.
// Errors name the file and the field; those about a value wrap hf.ErrConfig.
func ReadConfig(fsys fs.FS, guidance bool, schedulers ...string) (c Config, err error) {
	if err := pipeline.CheckIndex(fsys, parts(schedulers)); err != nil {
		return c, err
	}
	c.Transformer = TransformerConfig{ // what diffusers fills in
		PatchSize: 1, InChannels: 32, OutChannels: new(32), Layers: 20, Heads: 70, HeadWidth: 32,
		CrossHeads: new(20), CrossHeadWidth: new(112), CrossWidth: new(2240), TextWidth: 2304,
		Ratio: 2.5, Epsilon: 1e-6, TimeScale: 1, SampleSize: 32, GuidanceScale: 0.1,
	}
	if err := pipeline.ReadConfig(fsys, "transformer/config.json", &c.Transformer, func() error {
		return errors.Join(c.Transformer.check(), hf.Require("guidance_embeds", c.Transformer.Guidance, guidance))
	}); err != nil {
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

// parts are the classes that the parts of a folder must have.
func parts(schedulers []string) map[string]pipeline.Part {
	return map[string]pipeline.Part{
		"scheduler":    {Classes: schedulers},
		"text_encoder": {Classes: []string{"Gemma2Model", "Gemma2ForCausalLM"}},
		"tokenizer":    {Classes: []string{"GemmaTokenizer", "GemmaTokenizerFast"}},
		"transformer":  {Classes: []string{"SanaTransformer2DModel"}},
		"vae":          {Classes: []string{"AutoencoderDC"}},
	}
}

func (c *TransformerConfig) check() error {
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
		hf.Equal("cross_attention_dim", *c.CrossWidth, "num_attention_heads times attention_head_dim", c.Width()),
		hf.Require("norm_elementwise_affine", c.Affine, false),
		hf.Absent("interpolation_scale", c.Interpolation),
		hf.Check(!c.Guidance || c.GuidanceScale > 0 && c.GuidanceScale <= 1000, "guidance_embeds_scale is %v", c.GuidanceScale),
		c.checkNorm(),
	)
}

// checkNorm checks the norm of queries and keys.
func (c *TransformerConfig) checkNorm() error {
	if c.QKNorm == nil {
		return nil
	}
	return hf.Require("qk_norm", *c.QKNorm, "rms_norm_across_heads")
}

// check compares the parts with each other.
func (c Config) check() error {
	return errors.Join(
		hf.Equal("transformer: in_channels", c.Transformer.InChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("transformer: caption_channels", c.Transformer.TextWidth, "text_encoder: hidden_size", c.Gemma.Hidden),
	)
}

// Latents is the height and width of the latents of pictures of a size in pixels.
func (c Config) Latents(height, width int) (int, int) {
	pixels := c.Autoencoder.Factor()
	return height / pixels, width / pixels
}

// Size is the default of a picture's height and width: what the model was trained on.
func (c Config) Size() int { return c.Transformer.SampleSize * c.Autoencoder.Factor() }
