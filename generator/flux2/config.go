package flux2

import (
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Pipeline names the FLUX.2 klein generator in model_index.json.
const Pipeline = "Flux2KleinPipeline"

// config of a FLUX.2 klein generator: the JSON files of its folder.
type config struct {
	Distilled   bool                    // is_distilled of model_index.json: few steps and no guidance
	Transformer transformerConfig       // transformer/config.json
	Autoencoder autoencoder.Flux2Config // vae/config.json
	Scheduler   pipeline.FlowMatchEuler // scheduler/scheduler_config.json
	Qwen        decoder.Config          // text_encoder/config.json
}

// transformerConfig sizes the transformer. The fields are those of diffusers'
// config.json.
type transformerConfig struct {
	Class        string  `json:"_class_name"`
	PatchSize    int     `json:"patch_size"`
	InChannels   int     `json:"in_channels"`  // numbers per token of the latents
	OutChannels  *int    `json:"out_channels"` // nil = InChannels
	Layers       int     `json:"num_layers"`   // with separate weights for text and picture
	SingleLayers int     `json:"num_single_layers"`
	HeadWidth    int     `json:"attention_head_dim"`
	Heads        int     `json:"num_attention_heads"`
	TextWidth    int     `json:"joint_attention_dim"`
	Waves        int     `json:"timestep_guidance_channels"` // cosines and sines of a time
	Ratio        float64 `json:"mlp_ratio"`                  // inner width of the feed-forward layers over the stream's
	Axes         []int   `json:"axes_dims_rope"`             // numbers of a head for each axis of position
	Theta        float64 `json:"rope_theta"`
	Epsilon      float64 `json:"eps"` // of all norms
	Guidance     bool    `json:"guidance_embeds"`

	Version    any `json:"_diffusers_version"`
	NameOrPath any `json:"_name_or_path"`
}

// width is that of the residual stream.
func (c transformerConfig) width() int { return c.Heads * c.HeadWidth }

// inner is the width inside the feed-forward layers.
func (c transformerConfig) inner() int { return int(float64(c.width()) * c.Ratio) }

// parts are the classes that the parts of a klein folder must have.
var parts = map[string]pipeline.Part{
	"scheduler":    {Classes: []string{pipeline.FlowMatchEulerClass}},
	"text_encoder": {Classes: []string{"Qwen3ForCausalLM", "Qwen3Model"}},
	"tokenizer":    {Classes: []string{"Qwen2TokenizerFast", "Qwen2Tokenizer"}},
	"transformer":  {Classes: []string{"Flux2Transformer2DModel"}},
	"vae":          {Classes: []string{"AutoencoderKLFlux2"}},
}

// readConfig reads the JSON files of a klein folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	if c.Distilled, err = pipeline.Setting(fsys, "is_distilled", false); err != nil {
		return c, err
	}
	c.Transformer = transformerConfig{ // what diffusers fills in
		PatchSize: 1, InChannels: 128, Layers: 8, SingleLayers: 48, HeadWidth: 128, Heads: 48, TextWidth: 15360,
		Waves: 256, Ratio: 3, Axes: []int{32, 32, 32, 32}, Theta: 2000, Epsilon: 1e-6, Guidance: true,
	}
	if err := pipeline.ReadConfig(fsys, "transformer/config.json", &c.Transformer, c.Transformer.check); err != nil {
		return c, err
	}
	if c.Scheduler, err = pipeline.ReadFlowMatchEuler(fsys); err != nil {
		return c, err
	}
	if c.Autoencoder, err = autoencoder.ReadFlux2Config(fsys, "vae"); err != nil {
		return c, err
	}
	if c.Qwen, err = text.ReadQwen3Config(fsys, "text_encoder"); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *transformerConfig) check() error {
	sum, odd := 0, false
	for _, axis := range c.Axes {
		sum, odd = sum+axis, odd || axis < 2 || axis%2 != 0
	}
	if err := hf.CheckSizes(
		hf.Size{Name: "in_channels", Value: c.InChannels, Limit: 1 << 12},
		hf.Size{Name: "num_layers", Value: c.Layers, Limit: 1 << 10},
		hf.Size{Name: "num_single_layers", Value: c.SingleLayers, Limit: 1 << 10},
		hf.Size{Name: "attention_head_dim", Value: c.HeadWidth, Limit: 1 << 12},
		hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
		hf.Size{Name: "joint_attention_dim", Value: c.TextWidth, Limit: 1 << 18},
		hf.Size{Name: "timestep_guidance_channels", Value: c.Waves, Limit: 1 << 14},
	); err != nil {
		return err
	}
	return errors.Join(
		hf.Require("_class_name", c.Class, "Flux2Transformer2DModel"),
		hf.Require("patch_size", c.PatchSize, 1),
		hf.EqualIfGiven("out_channels", c.OutChannels, "in_channels", c.InChannels),
		hf.Check(len(c.Axes) == axes && !odd && sum == c.HeadWidth,
			"axes_dims_rope is %v: not four even numbers that add up to attention_head_dim, %d", c.Axes, c.HeadWidth),
		hf.Check(c.Waves%2 == 0, "timestep_guidance_channels is %d, want an even number", c.Waves),
		hf.Check(c.Ratio > 0 && c.Ratio <= 64 && c.inner() > 0, "mlp_ratio is %v", c.Ratio),
		hf.Check(c.Theta > 0 && c.Theta <= 1e15, "rope_theta is %v", c.Theta),
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "eps is %v, want a number between 0 and 1", c.Epsilon),
		hf.Require("guidance_embeds", c.Guidance, false),
	)
}

// check compares the parts with each other.
func (c config) check() error {
	last := textLayers[len(textLayers)-1]
	return errors.Join(
		hf.Equal("transformer: in_channels", c.Transformer.InChannels, "4 times vae: latent_channels", c.Autoencoder.Packed()),
		hf.Equal("transformer: joint_attention_dim", c.Transformer.TextWidth, "3 times text_encoder: hidden_size", len(textLayers)*c.Qwen.Hidden),
		hf.Check(c.Qwen.Layers >= last, "text_encoder: num_hidden_layers is %d, want at least %d", c.Qwen.Layers, last),
	)
}
