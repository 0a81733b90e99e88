package sd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"

	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/text"
)

// Pipeline names the Stable Diffusion generator in model_index.json.
const Pipeline = "StableDiffusionPipeline"

// config of a Stable Diffusion generator: the JSON files of its folder.
type config struct {
	UNet        unetConfig           // unet/config.json
	Autoencoder autoencoder.KLConfig // vae/config.json
	Scheduler   schedulerConfig      // scheduler/scheduler_config.json
	CLIP        text.CLIPConfig      // text_encoder/config.json
}

// parts of a folder. The optional ones look at finished pictures, or at pictures
// given with the prompt; we have no use for them.
var parts = map[string]pipeline.Part{
	"scheduler":         {Classes: schedulers},
	"text_encoder":      {Classes: []string{"CLIPTextModel"}},
	"tokenizer":         {Classes: []string{"CLIPTokenizer", "CLIPTokenizerFast"}},
	"unet":              {Classes: []string{"UNet2DConditionModel"}},
	"vae":               {Classes: []string{"AutoencoderKL"}},
	"feature_extractor": {Classes: []string{"CLIPFeatureExtractor", "CLIPImageProcessor"}, Optional: true},
	"image_encoder":     {Classes: []string{"CLIPVisionModelWithProjection"}, Optional: true},
	"safety_checker":    {Classes: []string{"StableDiffusionSafetyChecker"}, Optional: true},
}

// readConfig reads the JSON files of a Stable Diffusion folder. Errors name the
// file and the field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c config, err error) {
	if err := pipeline.CheckIndex(fsys, parts); err != nil {
		return c, err
	}
	c.UNet, c.Scheduler = defaultUNet(), defaultScheduler()
	if err := pipeline.ReadConfig(fsys, "unet/config.json", &c.UNet, c.UNet.check); err != nil {
		return c, err
	}
	if err := pipeline.ReadConfig(fsys, pipeline.SchedulerFile, &c.Scheduler, c.Scheduler.check); err != nil {
		return c, err
	}
	if c.Autoencoder, err = autoencoder.ReadKLConfig(fsys, "vae"); err != nil {
		return c, err
	}
	if c.CLIP, err = text.ReadCLIPConfig(fsys, "text_encoder"); err != nil {
		return c, err
	}
	return c, c.check()
}

// check compares the parts with each other.
func (c config) check() error {
	return errors.Join(
		hf.Equal("unet: in_channels", c.UNet.InChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("unet: out_channels", c.UNet.OutChannels, "vae: latent_channels", c.Autoencoder.LatentChannels),
		hf.Equal("unet: cross_attention_dim", c.UNet.TextWidth, "text_encoder: hidden_size", c.CLIP.Width),
	)
}

// unetConfig sizes the U-Net. The fields are those of diffusers' config.json.
type unetConfig struct {
	Class          string   `json:"_class_name"`
	InChannels     int      `json:"in_channels"`
	OutChannels    int      `json:"out_channels"`
	Channels       []int    `json:"block_out_channels"` // per resolution, from the latents down
	LayersPerBlock int      `json:"layers_per_block"`
	DownBlocks     []string `json:"down_block_types"`
	MidBlock       string   `json:"mid_block_type"`
	UpBlocks       []string `json:"up_block_types"`
	TextWidth      int      `json:"cross_attention_dim"`
	Layers         int      `json:"transformer_layers_per_block"` // of every attention
	// Heads of the attention, for all resolutions or for each. Its name in the
	// file is a mistake of diffusers' that all checkpoints repeat.
	Heads            perBlock `json:"attention_head_dim"`
	LinearProjection bool     `json:"use_linear_projection"` // around an attention, in place of 1x1 convolutions
	Groups           int      `json:"norm_num_groups"`
	Epsilon          float64  `json:"norm_eps"`           // of all norms outside the attention
	TimeWidth        *int     `json:"time_embedding_dim"` // nil = 4 times the first of Channels

	Activation     string  `json:"act_fn"`
	CosineFirst    bool    `json:"flip_sin_to_cos"`
	FrequencyShift float64 `json:"freq_shift"`
	DownPadding    int     `json:"downsample_padding"`
	MidScale       float64 `json:"mid_block_scale_factor"`
	ResidualScale  float64 `json:"resnet_out_scale_factor"`
	TimeShift      string  `json:"resnet_time_scale_shift"`
	TimeType       string  `json:"time_embedding_type"`
	KernelIn       int     `json:"conv_in_kernel"`
	KernelOut      int     `json:"conv_out_kernel"`
	AttentionType  string  `json:"attention_type"`
	refused

	AdditionHeads any `json:"addition_embed_type_num_heads"` // of what refused names
	Upcast        any `json:"upcast_attention"`              // our softmax is float32 always
	Dropout       any `json:"dropout"`
	SampleSize    any `json:"sample_size"` // of the training's latents: a number, or height and width
	Version       any `json:"_diffusers_version"`
	NameOrPath    any `json:"_name_or_path"`
}

// refused are what other U-Nets have; null or false in this one.
type refused struct {
	Center              any `json:"center_input_sample"`
	OnlyCross           any `json:"only_cross_attention"`
	MidOnlyCross        any `json:"mid_block_only_cross_attention"`
	DualCross           any `json:"dual_cross_attention"`
	ReverseTransformers any `json:"reverse_transformer_layers_per_block"`
	NumHeads            any `json:"num_attention_heads"` // refused by diffusers too
	TextProjection      any `json:"encoder_hid_dim"`
	TextProjectionType  any `json:"encoder_hid_dim_type"`
	ClassEmbedding      any `json:"class_embed_type"`
	Classes             any `json:"num_class_embeds"`
	ClassConcat         any `json:"class_embeddings_concat"`
	ClassProjection     any `json:"projection_class_embeddings_input_dim"`
	Addition            any `json:"addition_embed_type"`
	AdditionTimeWidth   any `json:"addition_time_embed_dim"`
	SkipTimeActivation  any `json:"resnet_skip_time_act"`
	TimeActivation      any `json:"time_embedding_act_fn"`
	TimePostActivation  any `json:"timestep_post_act"`
	TimeCondition       any `json:"time_cond_proj_dim"`
	CrossNorm           any `json:"cross_attention_norm"`
}

// perBlock is one number for all resolutions or one for each.
type perBlock []int

// UnmarshalJSON implements json.Unmarshaler.
func (p *perBlock) UnmarshalJSON(text []byte) error {
	var one int
	if json.Unmarshal(text, &one) == nil {
		*p = perBlock{one}
		return nil
	}
	return json.Unmarshal(text, (*[]int)(p))
}

// at is the number of resolution i.
func (p perBlock) at(i int) int {
	if len(p) == 1 {
		return p[0]
	}
	return p[i]
}

// The kinds of blocks, with attention and without.
const (
	downAttention, downPlain = "CrossAttnDownBlock2D", "DownBlock2D"
	upAttention, upPlain     = "CrossAttnUpBlock2D", "UpBlock2D"
	midAttention             = "UNetMidBlock2DCrossAttn"
)

// defaultUNet is what diffusers fills in.
func defaultUNet() unetConfig {
	return unetConfig{
		InChannels: 4, OutChannels: 4, Channels: []int{320, 640, 1280, 1280}, LayersPerBlock: 2, Layers: 1,
		DownBlocks: []string{downAttention, downAttention, downAttention, downPlain}, MidBlock: midAttention,
		UpBlocks:  []string{upPlain, upAttention, upAttention, upAttention},
		TextWidth: 1280, Heads: perBlock{8}, Groups: 32, Epsilon: 1e-5,
		Activation: "silu", CosineFirst: true, DownPadding: 1, MidScale: 1, ResidualScale: 1, TimeShift: "default",
		TimeType: "positional", KernelIn: 3, KernelOut: 3, AttentionType: "default",
	}
}

// timeWidth is that of the time's embedding.
func (c *unetConfig) timeWidth() int {
	if c.TimeWidth != nil {
		return *c.TimeWidth
	}
	return 4 * c.Channels[0]
}

// sampleSize is the height and width of latents that suit the model.
func (c *unetConfig) sampleSize() int {
	if size, ok := c.SampleSize.(float64); ok && size >= 1 && size <= 1<<12 {
		return int(size)
	}
	return 64
}

func (c *unetConfig) check() error {
	if err := c.checkSizes(); err != nil {
		return err
	}
	if err := c.checkRefused(); err != nil {
		return err
	}
	last := len(c.Channels) - 1
	for i, channels := range c.Channels {
		heads := c.Heads.at(i)
		if channels%c.Groups != 0 {
			return fmt.Errorf("%w: block_out_channels has %d, no multiple of norm_num_groups %d", hf.ErrConfig, channels, c.Groups)
		}
		attends := c.DownBlocks[i] == downAttention || c.UpBlocks[last-i] == upAttention || i == last
		if heads < 1 || attends && channels%heads != 0 {
			return fmt.Errorf("%w: block_out_channels has %d, no multiple of attention_head_dim %d", hf.ErrConfig, channels, heads)
		}
	}
	if c.Channels[0]%2 != 0 {
		return fmt.Errorf("%w: block_out_channels begins with %d, which is odd", hf.ErrConfig, c.Channels[0])
	}
	return nil
}

func (c *unetConfig) checkSizes() error {
	errs := []error{
		hf.CheckSizes(
			hf.Size{Name: "in_channels", Value: c.InChannels, Limit: 1 << 10},
			hf.Size{Name: "out_channels", Value: c.OutChannels, Limit: 1 << 10},
			hf.Size{Name: "the length of block_out_channels", Value: len(c.Channels), Limit: 8},
			hf.Size{Name: "layers_per_block", Value: c.LayersPerBlock, Limit: 64},
			hf.Size{Name: "transformer_layers_per_block", Value: c.Layers, Limit: 64},
			hf.Size{Name: "cross_attention_dim", Value: c.TextWidth, Limit: 1 << 16},
			hf.Size{Name: "norm_num_groups", Value: c.Groups, Limit: 1 << 12},
		),
		hf.Equal("the length of down_block_types", len(c.DownBlocks), "that of block_out_channels", len(c.Channels)),
		hf.Equal("the length of up_block_types", len(c.UpBlocks), "that of block_out_channels", len(c.Channels)),
		hf.Require("the length of attention_head_dim", len(c.Heads), 1, len(c.Channels)),
	}
	for _, channels := range c.Channels {
		errs = append(errs, hf.CheckSizes(hf.Size{Name: "block_out_channels", Value: channels, Limit: 1 << 14}))
	}
	if c.TimeWidth != nil {
		errs = append(errs, hf.CheckSizes(hf.Size{Name: "time_embedding_dim", Value: *c.TimeWidth, Limit: 1 << 16}))
	}
	if !(c.Epsilon > 0 && c.Epsilon < 1) {
		errs = append(errs, fmt.Errorf("%w: norm_eps is %v", hf.ErrConfig, c.Epsilon))
	}
	return errors.Join(errs...)
}

func (c *unetConfig) checkRefused() error {
	errs := []error{
		hf.Require("_class_name", c.Class, "UNet2DConditionModel"),
		hf.Require("mid_block_type", c.MidBlock, midAttention),
		hf.Require("act_fn", c.Activation, "silu"),
		hf.Require("flip_sin_to_cos", c.CosineFirst, true),
		hf.Require("freq_shift", c.FrequencyShift, 0),
		hf.Require("downsample_padding", c.DownPadding, 1),
		hf.Require("mid_block_scale_factor", c.MidScale, 1),
		hf.Require("resnet_out_scale_factor", c.ResidualScale, 1),
		hf.Require("resnet_time_scale_shift", c.TimeShift, "default"),
		hf.Require("time_embedding_type", c.TimeType, "positional"),
		hf.Require("conv_in_kernel", c.KernelIn, 3),
		hf.Require("conv_out_kernel", c.KernelOut, 3),
		hf.Require("attention_type", c.AttentionType, "default"),
	}
	for i := range c.Channels {
		errs = append(errs,
			hf.Require("down_block_types", c.DownBlocks[i], downAttention, downPlain),
			hf.Require("up_block_types", c.UpBlocks[i], upAttention, upPlain))
	}
	return errors.Join(append(errs, c.refused.check())...)
}

// check names the fields that say something, as the file does.
func (r refused) check() error {
	var errs []error
	fields := reflect.ValueOf(r)
	for i := range fields.NumField() {
		if value := fields.Field(i).Interface(); value != false {
			errs = append(errs, hf.Absent(fields.Type().Field(i).Tag.Get("json"), value))
		}
	}
	return errors.Join(errs...)
}
