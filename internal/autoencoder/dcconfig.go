package autoencoder

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// DCConfig sizes an AutoencoderDC, the deep-compression autoencoder (Chen et al.,
// 2024): 32 pixels per latent along each axis. The fields are those of diffusers'
// config.json. Lists go by resolution, from the picture down.
type DCConfig struct {
	Class          string `json:"_class_name"`
	InChannels     int    `json:"in_channels"`
	LatentChannels int    `json:"latent_channels"`
	HeadWidth      int    `json:"attention_head_dim"`

	EncoderBlocks   perLevel `json:"encoder_block_types"`
	EncoderChannels []int    `json:"encoder_block_out_channels"`
	EncoderLayers   []int    `json:"encoder_layers_per_block"`
	EncoderScales   [][]int  `json:"encoder_qkv_multiscales"` // further kernels of the attention's inputs
	Downsample      string   `json:"downsample_block_type"`
	OutShortcut     bool     `json:"encoder_out_shortcut"`

	DecoderBlocks      perLevel `json:"decoder_block_types"`
	DecoderChannels    []int    `json:"decoder_block_out_channels"`
	DecoderLayers      []int    `json:"decoder_layers_per_block"`
	DecoderScales      [][]int  `json:"decoder_qkv_multiscales"`
	DecoderNorms       perLevel `json:"decoder_norm_types"`
	DecoderActivations perLevel `json:"decoder_act_fns"`
	Upsample           string   `json:"upsample_block_type"`
	InShortcut         bool     `json:"decoder_in_shortcut"`
	OutActivation      string   `json:"decoder_conv_act_fn"`

	Scaling float64 `json:"scaling_factor"` // of a generator's latents

	Version    any `json:"_diffusers_version"`
	NameOrPath any `json:"_name_or_path"`
}

// Kinds of blocks and of changes of resolution.
const (
	resBlock = "ResBlock"          // convolutions
	vitBlock = "EfficientViTBlock" // linear attention

	byConv     = "conv"            // a convolution of stride 2
	byUnshaped = "pixel_unshuffle" // a convolution whose pixels become channels
	byNearest  = "interpolate"     // neighbours repeated, then a convolution
	byShaped   = "pixel_shuffle"   // a convolution whose channels become pixels
)

// perLevel is one word for every resolution, or one word for all.
type perLevel []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *perLevel) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*l = perLevel{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// at returns the word of a level.
func (l perLevel) at(level int) string {
	if len(l) == 1 {
		return l[0]
	}
	return l[level]
}

// ReadDCConfig reads dir/config.json. Errors name the file and the field; those
// about a value wrap hf.ErrConfig.
func ReadDCConfig(fsys fs.FS, dir string) (DCConfig, error) {
	// Made twice, as the decoder of JSON writes into slices that are there already.
	channels := func() []int { return []int{128, 256, 512, 512, 1024, 1024} }
	scales := func() [][]int { return [][]int{{}, {}, {}, {5}, {5}, {5}} }
	c := DCConfig{ // what diffusers fills in
		InChannels: 3, LatentChannels: 32, HeadWidth: 32, Scaling: 1,
		EncoderBlocks: perLevel{resBlock}, EncoderChannels: channels(), EncoderLayers: []int{2, 2, 2, 3, 3, 3},
		EncoderScales: scales(), Downsample: byUnshaped, OutShortcut: true,
		DecoderBlocks: perLevel{resBlock}, DecoderChannels: channels(), DecoderLayers: []int{3, 3, 3, 3, 3, 3},
		DecoderScales: scales(), DecoderNorms: perLevel{"rms_norm"}, DecoderActivations: perLevel{"silu"},
		Upsample: byShaped, InShortcut: true, OutActivation: "relu",
	}
	file := path.Join(dir, "config.json")
	if err := hf.ReadConfig(fsys, file, &c); err != nil {
		return c, err
	}
	return c, hf.Within(file, c.check())
}

// dcHalf is one half of a DCConfig.
type dcHalf struct {
	name     string // of its fields
	blocks   perLevel
	channels []int
	layers   []int
	scales   [][]int
}

func (c DCConfig) encoder() dcHalf {
	return dcHalf{"encoder", c.EncoderBlocks, c.EncoderChannels, c.EncoderLayers, c.EncoderScales}
}

func (c DCConfig) decoder() dcHalf {
	return dcHalf{"decoder", c.DecoderBlocks, c.DecoderChannels, c.DecoderLayers, c.DecoderScales}
}

func (c DCConfig) check() error {
	errs := []error{
		hf.Require("_class_name", c.Class, "AutoencoderDC"),
		hf.Require("in_channels", c.InChannels, 3),
		hf.CheckSizes(
			hf.Size{Name: "latent_channels", Value: c.LatentChannels, Limit: 1 << 10},
			hf.Size{Name: "attention_head_dim", Value: c.HeadWidth, Limit: 1 << 10},
		),
		hf.Require("downsample_block_type", c.Downsample, byConv, byUnshaped),
		hf.Require("upsample_block_type", c.Upsample, byNearest, byShaped),
		hf.Require("decoder_conv_act_fn", c.OutActivation, "relu"),
		hf.Equal("the length of decoder_block_out_channels", len(c.DecoderChannels), "that of encoder_block_out_channels", len(c.EncoderChannels)),
	}
	for _, norm := range c.DecoderNorms {
		errs = append(errs, hf.Require("decoder_norm_types", norm, "rms_norm"))
	}
	for _, activation := range c.DecoderActivations {
		errs = append(errs, hf.Require("decoder_act_fns", activation, "silu"))
	}
	errs = append(errs, hf.Check(c.Scaling > 0 && c.Scaling < 1e6, "scaling_factor is %v, want a positive number", c.Scaling))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return errors.Join(c.encoder().check(c, c.OutShortcut), c.decoder().check(c, c.InShortcut))
}

// check returns an error that names the first field of a half that is at fault.
func (h dcHalf) check(c DCConfig, shortcut bool) error {
	levels := len(h.channels)
	if err := errors.Join(
		hf.CheckSizes(hf.Size{Name: "the length of " + h.field("_block_out_channels"), Value: levels, Limit: 10}),
		hf.Require("the length of "+h.field("_block_types"), len(h.blocks), 1, levels),
		hf.Require("the length of "+h.field("_layers_per_block"), len(h.layers), levels),
		hf.Require("the length of "+h.field("_qkv_multiscales"), len(h.scales), levels),
	); err != nil {
		return err
	}
	for i := range h.channels {
		if err := h.checkLevel(c, i); err != nil {
			return err
		}
	}
	if last := h.channels[levels-1]; shortcut && !divides(last, c.LatentChannels) {
		return hf.Errorf("latent_channels %d does not divide %d, the last of %s", c.LatentChannels, last, h.field("_block_out_channels"))
	}
	return nil
}

// field is the name of one of the half's fields.
func (h dcHalf) field(rest string) string { return h.name + rest }

func (h dcHalf) checkLevel(c DCConfig, i int) error {
	channels, name := h.channels[i], h.field("_block_out_channels")
	if err := errors.Join(
		hf.CheckSizes(
			hf.Size{Name: name, Value: channels, Limit: 1 << 14},
			hf.Size{Name: h.field("_layers_per_block"), Value: h.layers[i], Limit: 64},
		),
		hf.Require(h.field("_block_types"), h.blocks.at(i), resBlock, vitBlock),
	); err != nil {
		return err
	}
	for _, kernel := range h.scales[i] {
		if kernel < 1 || kernel > 31 || kernel%2 == 0 {
			return hf.Errorf("%s has a kernel of %d", h.field("_qkv_multiscales"), kernel)
		}
	}
	switch {
	case h.blocks.at(i) == vitBlock && channels < c.HeadWidth:
		return hf.Errorf("%s has %d, less than attention_head_dim", name, channels)
	case i > 0 && !divides(4*h.channels[i-1], channels):
		return hf.Errorf("%s has %d behind %d, which does not divide 4 times that", name, channels, h.channels[i-1])
	case i > 0 && h.name == "encoder" && c.Downsample == byUnshaped && !divides(channels, 4):
		return hf.Errorf("%s has %d, no multiple of 4", name, channels)
	}
	return nil
}

func divides(number, divisor int) bool { return number%divisor == 0 }

// Factor is the number of pixels per latent along each axis.
func (c DCConfig) Factor() int { return 1 << (len(c.EncoderChannels) - 1) }

// Activations estimates the numbers that a backward pass keeps of the decoder, for a picture of
// height x width pixels.
func (c DCConfig) Activations(height, width int) (total int) {
	const perChannel = 8 // of a block: a residual one has fewer, attention more
	places, half := height*width, c.decoder()
	for i, channels := range half.channels {
		total += half.layers[i] * perChannel * channels * places
		places /= 4
	}
	return total
}
