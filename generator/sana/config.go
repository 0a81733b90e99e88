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

// Config of a Sana generator: the JSON files of its folder.
type Config struct {
	Transformer TransformerConfig    // transformer/config.json
	Autoencoder autoencoder.DCConfig // vae/config.json
	Scheduler   SchedulerConfig      // scheduler/scheduler_config.json
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

// Width is that of the residual stream.
func (c TransformerConfig) Width() int { return c.Heads * c.HeadWidth }

// inner is the number of channels inside the gated convolutions.
func (c TransformerConfig) inner() int { return int(c.Ratio * float64(c.Width())) }

// parts are the classes that the parts of a Sana folder must have.
var parts = map[string]pipeline.Part{
	"scheduler":    {Classes: []string{dpmClass, eulerClass}},
	"text_encoder": {Classes: []string{"Gemma2Model", "Gemma2ForCausalLM"}},
	"tokenizer":    {Classes: []string{"GemmaTokenizer", "GemmaTokenizerFast"}},
	"transformer":  {Classes: []string{"SanaTransformer2DModel"}},
	"vae":          {Classes: []string{"AutoencoderDC"}},
}

// ReadConfig reads the JSON files of a Sana folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func ReadConfig(fsys fs.FS) (c Config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	c.Transformer = TransformerConfig{ // what diffusers fills in
		PatchSize: 1, InChannels: 32, OutChannels: new(32), Layers: 20, Heads: 70, HeadWidth: 32,
		CrossHeads: new(20), CrossHeadWidth: new(112), CrossWidth: new(2240), TextWidth: 2304,
		Ratio: 2.5, Epsilon: 1e-6, TimeScale: 1, SampleSize: 32,
	}
	const file = "transformer/config.json"
	if err := hf.ReadConfig(fsys, file, &c.Transformer); err != nil {
		return c, err
	}
	if err := c.Transformer.check(); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	if c.Scheduler, err = readSchedulerConfig(fsys); err != nil {
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
		hf.Require("guidance_embeds", c.Guidance, false),
		hf.Absent("qk_norm", c.QKNorm),
	)
}

// check compares the parts with each other.
func (c Config) check() error {
	return errors.Join(
		hf.Equal("transformer: in_channels", c.Transformer.InChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("transformer: caption_channels", c.Transformer.TextWidth, "text_encoder: hidden_size", c.Gemma.Hidden),
	)
}
