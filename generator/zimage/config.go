package zimage

import (
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Pipeline names the Z-Image generator in model_index.json.
const Pipeline = "ZImagePipeline"

// config of a Z-Image generator: the JSON files of its folder.
type config struct {
	Transformer transformerConfig       // transformer/config.json
	Autoencoder autoencoder.KLConfig    // vae/config.json
	Scheduler   pipeline.FlowMatchEuler // scheduler/scheduler_config.json
	Qwen        decoder.Config          // text_encoder/config.json
}

// transformerConfig sizes the transformer. The fields are those of diffusers'
// config.json.
type transformerConfig struct {
	Class        string  `json:"_class_name"`
	PatchSizes   []int   `json:"all_patch_size"`
	FramePatches []int   `json:"all_f_patch_size"` // over the frames of a video
	InChannels   int     `json:"in_channels"`
	Width        int     `json:"dim"` // of the stream
	Layers       int     `json:"n_layers"`
	Refiners     int     `json:"n_refiner_layers"` // before them: so many for the picture alone, and for the text alone
	Heads        int     `json:"n_heads"`
	KVHeads      int     `json:"n_kv_heads"`
	Epsilon      float64 `json:"norm_eps"`
	QKNorm       bool    `json:"qk_norm"`
	TextWidth    int     `json:"cap_feat_dim"`
	Theta        float64 `json:"rope_theta"`
	TimeScale    float64 `json:"t_scale"`
	Axes         []int   `json:"axes_dims"` // numbers of a head for each axis of position
	Longest      []int   `json:"axes_lens"` // positions on each axis

	PictureWidth *int `json:"siglip_feat_dim"` // of pictures in prompts; nil = there are none
	Version      any  `json:"_diffusers_version"`
	NameOrPath   any  `json:"_name_or_path"`
}

// axes of a position: the place in the text, which a picture has as a whole, row and
// column.
const axes = 3

// modulation is the width of the vector that modulates blocks.
func (c transformerConfig) modulation() int { return min(c.Width, 256) }

// inner is the width inside the feed-forward layers.
func (c transformerConfig) inner() int { return int(float64(c.Width) / 3 * 8) }

// parts are the classes that the parts of a Z-Image folder must have.
var parts = map[string]pipeline.Part{
	"scheduler":    {Classes: []string{pipeline.FlowMatchEulerClass}},
	"text_encoder": {Classes: []string{"Qwen3Model", "Qwen3ForCausalLM"}},
	"tokenizer":    {Classes: []string{"Qwen2Tokenizer", "Qwen2TokenizerFast"}},
	"transformer":  {Classes: []string{"ZImageTransformer2DModel"}},
	"vae":          {Classes: []string{"AutoencoderKL"}},
}

// readConfig reads the JSON files of a Z-Image folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	c.Transformer = transformerConfig{ // what diffusers fills in
		PatchSizes: []int{2}, FramePatches: []int{1}, InChannels: 16, Width: 3840, Layers: 30, Refiners: 2, Heads: 30, KVHeads: 30,
		Epsilon: 1e-5, QKNorm: true, TextWidth: 2560, Theta: 256, TimeScale: 1000, Axes: []int{32, 48, 48}, Longest: []int{1024, 512, 512},
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
	if c.Qwen, err = text.ReadQwen3Config(fsys, "text_encoder"); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c *transformerConfig) check() error {
	if err := hf.CheckSizes(
		hf.Size{Name: "in_channels", Value: c.InChannels, Limit: 1 << 12},
		hf.Size{Name: "dim", Value: c.Width, Limit: 1 << 16},
		hf.Size{Name: "n_layers", Value: c.Layers, Limit: 1 << 10},
		hf.Size{Name: "n_refiner_layers", Value: c.Refiners, Limit: 1 << 10},
		hf.Size{Name: "n_heads", Value: c.Heads, Limit: 1 << 10},
		hf.Size{Name: "cap_feat_dim", Value: c.TextWidth, Limit: 1 << 16},
	); err != nil {
		return err
	}
	return errors.Join(
		hf.Require("_class_name", c.Class, "ZImageTransformer2DModel"),
		hf.Check(len(c.PatchSizes) == 1 && c.PatchSizes[0] == patch, "all_patch_size is %v, supported: [%d]", c.PatchSizes, patch),
		hf.Check(len(c.FramePatches) == 1 && c.FramePatches[0] == 1, "all_f_patch_size is %v, supported: [1]", c.FramePatches),
		hf.Equal("n_kv_heads", c.KVHeads, "n_heads", c.Heads),
		hf.Check(c.Width%c.Heads == 0, "dim is %d, no multiple of n_heads, %d", c.Width, c.Heads),
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "norm_eps is %v, want a number between 0 and 1", c.Epsilon),
		hf.Check(c.Theta > 0 && c.Theta <= 1e15, "rope_theta is %v", c.Theta),
		hf.Check(c.TimeScale > 0 && c.TimeScale <= 1e6, "t_scale is %v", c.TimeScale),
		c.checkAxes(),
		hf.Absent("siglip_feat_dim", c.PictureWidth),
	)
}

// checkAxes checks those of positions.
func (c *transformerConfig) checkAxes() error {
	sum, odd := 0, false
	for _, axis := range c.Axes {
		sum, odd = sum+axis, odd || axis < 2 || axis%2 != 0
	}
	short := len(c.Longest) != axes
	for _, longest := range c.Longest {
		short = short || longest < 1 || longest > 1<<20
	}
	return errors.Join(
		hf.Check(len(c.Axes) == axes && !odd && sum*c.Heads == c.Width,
			"axes_dims is %v: not three even numbers that add up to dim over n_heads, %d", c.Axes, c.Width/c.Heads),
		hf.Check(!short, "axes_lens is %v: not three numbers from 1", c.Longest),
	)
}

// check compares the parts with each other.
func (c config) check() error {
	return errors.Join(
		hf.Equal("transformer: in_channels", c.Transformer.InChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("transformer: cap_feat_dim", c.Transformer.TextWidth, "text_encoder: hidden_size", c.Qwen.Hidden),
		hf.Check(c.Qwen.Layers >= 2, "text_encoder: num_hidden_layers is %d, want at least 2", c.Qwen.Layers),
	)
}
