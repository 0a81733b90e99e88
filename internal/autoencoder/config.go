// Package autoencoder holds the autoencoders between pictures and the latents
// that generators work on: KL, the one of Stable Diffusion and FLUX.1, that of FLUX.2,
// and the deep-compression one (DC) of Sana.
//
// Pictures and latents are channels-last, [batch, height, width, channels], and
// pictures nominally in [-1, 1]. Layers have the names of diffusers' modules.
package autoencoder

import (
	"errors"
	"io/fs"
	"path"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// KLConfig sizes an AutoencoderKL. The fields are those of diffusers' config.json.
type KLConfig struct {
	Class          string   `json:"_class_name"`
	InChannels     int      `json:"in_channels"`
	OutChannels    int      `json:"out_channels"`
	LatentChannels int      `json:"latent_channels"`
	Channels       []int    `json:"block_out_channels"` // per resolution, from the picture down
	LayersPerBlock int      `json:"layers_per_block"`
	Groups         int      `json:"norm_num_groups"`
	Activation     string   `json:"act_fn"`
	DownBlocks     []string `json:"down_block_types"`
	UpBlocks       []string `json:"up_block_types"`
	MidAttention   bool     `json:"mid_block_add_attention"`
	QuantConv      bool     `json:"use_quant_conv"`      // a convolution after the encoder
	PostQuantConv  bool     `json:"use_post_quant_conv"` // one before the decoder

	// A generator's latents are (z - Shift)·Scaling for z of the encoder.
	Scaling float64  `json:"scaling_factor"`
	Shift   *float64 `json:"shift_factor"`

	LatentsMean *[]float64 `json:"latents_mean"`
	LatentsStd  *[]float64 `json:"latents_std"`

	Version     any `json:"_diffusers_version"`
	NameOrPath  any `json:"_name_or_path"`
	SampleSize  any `json:"sample_size"`  // of the training
	ForceUpcast any `json:"force_upcast"` // about float16, which we never compute in
}

// ReadKLConfig reads dir/config.json. Errors name the file and the field; those
// about a value wrap hf.ErrConfig.
func ReadKLConfig(fsys fs.FS, dir string) (KLConfig, error) {
	c := KLConfig{ // what diffusers fills in
		InChannels: 3, OutChannels: 3, LatentChannels: 4, Channels: []int{64}, LayersPerBlock: 1, Groups: 32,
		Activation: "silu", DownBlocks: []string{"DownEncoderBlock2D"}, UpBlocks: []string{"UpDecoderBlock2D"},
		MidAttention: true, QuantConv: true, PostQuantConv: true, Scaling: 0.18215,
	}
	file := path.Join(dir, "config.json")
	if err := hf.ReadConfig(fsys, file, &c); err != nil {
		return c, err
	}
	return c, hf.Within(file, c.check())
}

func (c KLConfig) check() error {
	return errors.Join(
		hf.Require("_class_name", c.Class, "AutoencoderKL"),
		c.checkBlocks(),
		hf.Check(c.Scaling > 0 && c.Scaling < 1e6, "scaling_factor is %v, want a positive number", c.Scaling),
	)
}

// checkBlocks checks all but the class and the latents' scale.
func (c KLConfig) checkBlocks() error {
	errs := []error{
		hf.Require("act_fn", c.Activation, "silu"),
		hf.Require("in_channels", c.InChannels, 3),
		hf.Require("out_channels", c.OutChannels, 3),
		hf.Absent("latents_mean", c.LatentsMean),
		hf.Absent("latents_std", c.LatentsStd),
		hf.CheckSizes(
			hf.Size{Name: "latent_channels", Value: c.LatentChannels, Limit: 1 << 10},
			hf.Size{Name: "layers_per_block", Value: c.LayersPerBlock, Limit: 64},
			hf.Size{Name: "norm_num_groups", Value: c.Groups, Limit: 1 << 12},
			hf.Size{Name: "the length of block_out_channels", Value: len(c.Channels), Limit: 8},
		),
		hf.Equal("the length of down_block_types", len(c.DownBlocks), "that of block_out_channels", len(c.Channels)),
		hf.Equal("the length of up_block_types", len(c.UpBlocks), "that of block_out_channels", len(c.Channels)),
	}
	for _, kind := range c.DownBlocks {
		errs = append(errs, hf.Require("down_block_types", kind, "DownEncoderBlock2D"))
	}
	for _, kind := range c.UpBlocks {
		errs = append(errs, hf.Require("up_block_types", kind, "UpDecoderBlock2D"))
	}
	return errors.Join(append(errs, c.checkChannels("block_out_channels", c.Channels))...)
}

// checkChannels checks the channels at each resolution, a field of a name.
func (c KLConfig) checkChannels(name string, all []int) error {
	var errs []error
	for _, channels := range all {
		errs = append(errs, hf.CheckSizes(hf.Size{Name: name, Value: channels, Limit: 1 << 14}))
		if c.Groups > 0 && channels%c.Groups != 0 {
			errs = append(errs, hf.Errorf("%s has %d, no multiple of norm_num_groups %d", name, channels, c.Groups))
		}
	}
	return errors.Join(errs...)
}

// Factor is the number of pixels per latent along each axis.
func (c KLConfig) Factor() int { return 1 << (len(c.Channels) - 1) }

// Activations estimates the numbers that a backward pass keeps of the decoder, for a picture
// of height x width pixels.
func (c KLConfig) Activations(height, width int) (total int) {
	const perChannel = 6 // of a residual block
	places := height * width
	for _, channels := range c.Channels {
		total += (c.LayersPerBlock + 1) * perChannel * channels * places
		places /= 4
	}
	return total
}

// shift is Shift, or 0.
func (c KLConfig) shift() float64 {
	if c.Shift == nil {
		return 0
	}
	return *c.Shift
}
