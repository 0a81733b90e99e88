package flux

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Pipeline names the FLUX generator in model_index.json.
const Pipeline = "FluxPipeline"

// config of a FLUX generator: the JSON files of its folder.
type config struct {
	Transformer transformerConfig       // transformer/config.json
	Autoencoder autoencoder.KLConfig    // vae/config.json
	Scheduler   pipeline.FlowMatchEuler // scheduler/scheduler_config.json
	CLIP        text.CLIPConfig         // text_encoder/config.json
	T5          text.T5Config           // text_encoder_2/config.json
}

// transformerConfig sizes the transformer. The fields are those of diffusers'
// config.json.
type transformerConfig struct {
	Class        string `json:"_class_name"`
	PatchSize    int    `json:"patch_size"`
	InChannels   int    `json:"in_channels"`  // numbers per token of the latents
	OutChannels  *int   `json:"out_channels"` // nil = InChannels
	Layers       int    `json:"num_layers"`   // with separate weights for text and picture
	SingleLayers int    `json:"num_single_layers"`
	HeadWidth    int    `json:"attention_head_dim"`
	Heads        int    `json:"num_attention_heads"`
	TextWidth    int    `json:"joint_attention_dim"`
	PooledWidth  int    `json:"pooled_projection_dim"`
	Guidance     bool   `json:"guidance_embeds"`
	Axes         []int  `json:"axes_dims_rope"` // numbers of a head for each axis of position

	Version    any `json:"_diffusers_version"`
	NameOrPath any `json:"_name_or_path"`
}

// width is that of the residual stream.
func (c transformerConfig) width() int { return c.Heads * c.HeadWidth }

// parts are the classes that the parts of a FLUX folder must have.
var parts = map[string]pipeline.Part{
	"scheduler":      {Classes: []string{pipeline.FlowMatchEulerClass}},
	"text_encoder":   {Classes: []string{"CLIPTextModel"}},
	"text_encoder_2": {Classes: []string{"T5EncoderModel"}},
	"tokenizer":      {Classes: []string{"CLIPTokenizer", "CLIPTokenizerFast"}},
	"tokenizer_2":    {Classes: []string{"T5TokenizerFast", "T5Tokenizer"}},
	"transformer":    {Classes: []string{"FluxTransformer2DModel"}},
	"vae":            {Classes: []string{"AutoencoderKL"}},
}

// readConfig reads the JSON files of a FLUX folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	c.Transformer = transformerConfig{ // what diffusers fills in
		PatchSize: 1, InChannels: 64, Layers: 19, SingleLayers: 38, HeadWidth: 128, Heads: 24,
		TextWidth: 4096, PooledWidth: 768, Axes: []int{16, 56, 56},
	}
	if err := pipeline.ReadConfig(fsys, "transformer/config.json", &c.Transformer, c.Transformer.check); err != nil {
		return c, err
	}
	if c.Scheduler, err = pipeline.ReadFlowMatchEuler(fsys); err != nil {
		return c, err
	}
	if c.Autoencoder, err = autoencoder.ReadKLConfig(fsys, "vae"); err != nil {
		return c, err
	}
	if c.CLIP, err = text.ReadCLIPConfig(fsys, "text_encoder"); err != nil {
		return c, err
	}
	if c.T5, err = text.ReadT5Config(fsys, "text_encoder_2"); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *transformerConfig) check() error {
	sum, odd := 0, false
	for _, axis := range c.Axes {
		sum, odd = sum+axis, odd || axis < 2 || axis%2 != 0
	}
	if len(c.Axes) != 3 || odd || sum != c.HeadWidth {
		return fmt.Errorf("%w: axes_dims_rope is %v: not three even numbers that add up to attention_head_dim, %d", hf.ErrConfig, c.Axes, c.HeadWidth)
	}
	return errors.Join(
		hf.Require("_class_name", c.Class, "FluxTransformer2DModel"),
		hf.Require("patch_size", c.PatchSize, 1),
		hf.EqualIfGiven("out_channels", c.OutChannels, "in_channels", c.InChannels),
		hf.CheckSizes(
			hf.Size{Name: "in_channels", Value: c.InChannels, Limit: 1 << 12},
			hf.Size{Name: "num_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "num_single_layers", Value: c.SingleLayers, Limit: 1 << 10},
			hf.Size{Name: "attention_head_dim", Value: c.HeadWidth, Limit: 1 << 12},
			hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "joint_attention_dim", Value: c.TextWidth, Limit: 1 << 16},
			hf.Size{Name: "pooled_projection_dim", Value: c.PooledWidth, Limit: 1 << 16},
		),
	)
}

// check compares the parts with each other.
func (c config) check() error {
	return errors.Join(
		hf.Equal("transformer: in_channels", c.Transformer.InChannels, "4 times vae: latent_channels", 4*c.Autoencoder.LatentChannels),
		hf.Equal("transformer: joint_attention_dim", c.Transformer.TextWidth, "text_encoder_2: d_model", c.T5.Width),
		hf.Equal("transformer: pooled_projection_dim", c.Transformer.PooledWidth, "text_encoder: hidden_size", c.CLIP.Width),
	)
}
