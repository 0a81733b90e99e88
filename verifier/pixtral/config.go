package pixtral

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// Architecture and VisionModelType together name Pixtral in config.json: LLaVA's
// class with another vision tower, the model_type of vision_config.
const (
	Architecture    = "LlavaForConditionalGeneration"
	VisionModelType = "pixtral"
)

// Config of a Pixtral verifier: the JSON files of its folder.
type Config struct {
	Text          decoder.Config // text_config: a Mistral
	Vision        VisionConfig
	Picture       PictureConfig
	Tokens        TokenConfig
	ImageToken    int    // the id whose places the picture's vectors take
	Activation    string // of the projector between tower and language model
	ProjectorBias bool
}

// VisionConfig sizes the vision tower: vision_config.
type VisionConfig struct {
	ModelType    string      `json:"model_type"`
	Hidden       int         `json:"hidden_size"`
	Intermediate int         `json:"intermediate_size"`
	Layers       int         `json:"num_hidden_layers"`
	Heads        int         `json:"num_attention_heads"`
	HeadDim      *int        `json:"head_dim"` // says no more than the two above
	Channels     int         `json:"num_channels"`
	PatchSize    int         `json:"patch_size"`
	Activation   string      `json:"hidden_act"`
	Theta        *float64    `json:"rope_theta"`
	Rope         *ropeFields `json:"rope_parameters"` // version 5's place for the former
	ImageSize    any         `json:"image_size"`      // positions are computed, of pictures of any size
	hf.Pretrained
}

type ropeFields struct {
	Type  string   `json:"rope_type"`
	Theta *float64 `json:"rope_theta"`
}

// theta is the base of the rotary embedding.
func (c VisionConfig) theta() float64 {
	switch {
	case c.Rope != nil && c.Rope.Theta != nil:
		return *c.Rope.Theta
	case c.Theta != nil:
		return *c.Theta
	}
	return 10000
}

// PictureConfig says how pictures are processed: preprocessor_config.json.
type PictureConfig struct {
	Size       *SizeRule `json:"size"`
	Patch      any       `json:"patch_size"` // that of TokenConfig counts
	CenterCrop *bool     `json:"do_center_crop"`
	CropSize   any       `json:"crop_size"`
	hf.PictureConfig
}

// SizeRule bounds the longest edge of a picture, or its height and its width.
type SizeRule struct {
	Longest int `json:"longest_edge"`
	Height  int `json:"height"`
	Width   int `json:"width"`
}

// TokenConfig says how a picture stands in the prompt: processor_config.json.
type TokenConfig struct {
	Patch    int    `json:"patch_size"`
	Merge    int    `json:"spatial_merge_size"`
	Image    string `json:"image_token"`
	Break    string `json:"image_break_token"` // after each row but the last
	End      string `json:"image_end_token"`   // after the last row
	Class    any    `json:"processor_class"`
	Template any    `json:"chat_template"`
	AutoMap  any    `json:"auto_map"`
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	ImageIndex    *int            `json:"image_token_index"`
	ImageID       *int            `json:"image_token_id"` // another name of it
	Activation    string          `json:"projector_hidden_act"`
	ProjectorBias bool            `json:"multimodal_projector_bias"`
	FeatureLayer  int             `json:"vision_feature_layer"`
	Strategy      string          `json:"vision_feature_select_strategy"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`
	Text          json.RawMessage `json:"text_config"`
	Vision        VisionConfig    `json:"vision_config"`
	ImageTokens   any             `json:"image_seq_length"` // of LLaVA's square pictures
	Ignored       any             `json:"ignore_index"`
	hf.Pretrained
}

// ReadConfig reads the JSON files of a Pixtral folder, of versions 4 and 5 of
// transformers. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func ReadConfig(fsys fs.FS) (Config, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "llava", Activation: "gelu", ProjectorBias: true, FeatureLayer: -2, Strategy: "default",
		Vision: VisionConfig{
			Hidden: 1024, Intermediate: 4096, Layers: 24, Heads: 16, Channels: 3, PatchSize: 16, Activation: "gelu",
		},
	}
	if err := hf.ReadConfig(fsys, file, &f); err != nil {
		return Config{}, err
	}
	c := Config{Vision: f.Vision, ImageToken: f.imageToken(), Activation: f.Activation, ProjectorBias: f.ProjectorBias}
	err := f.check()
	if err == nil {
		c.Text, err = vlm.TextConfig(f.Text, f.Tied, "")
	}
	if err == nil && (c.ImageToken < 0 || c.ImageToken >= c.Text.Vocabulary) {
		err = fmt.Errorf("%w: image_token_index is %d, the vocabulary has %d", hf.ErrConfig, c.ImageToken, c.Text.Vocabulary)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, c.readProcessor(fsys)
}

func (f modelFile) imageToken() int {
	for _, id := range []*int{f.ImageID, f.ImageIndex} {
		if id != nil {
			return *id
		}
	}
	return 32000
}

// readProcessor reads how pictures are brought to the tower and to the prompt.
func (c *Config) readProcessor(fsys fs.FS) error {
	c.Picture = PictureConfig{PictureConfig: hf.PictureConfig{ // what transformers fills in
		Resample: hf.Bicubic, RescaleFactor: 1. / 255,
		Mean: []float64{0.48145466, 0.4578275, 0.40821073}, Std: []float64{0.26862954, 0.26130258, 0.27577711},
	}}
	c.Tokens = TokenConfig{Patch: 16, Merge: 1, Image: "[IMG]", Break: "[IMG_BREAK]", End: "[IMG_END]"}
	file, err := hf.ReadProcessor(fsys, &c.Picture, &c.Tokens)
	if err != nil {
		return err
	}
	if c.Picture.Size == nil {
		c.Picture.Size = &SizeRule{Longest: 1024}
	}
	if err := c.Picture.check(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := errors.Join(
		hf.Equal("patch_size", c.Tokens.Patch, "patch_size in config.json", c.Vision.PatchSize),
		hf.Require("spatial_merge_size", c.Tokens.Merge, 1),
	); err != nil {
		return fmt.Errorf("processor_config.json: %w", err)
	}
	return nil
}

func (f modelFile) check() error {
	_, err := nn.Activation(f.Activation)
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, Architecture),
		hf.Require("model_type", f.ModelType, "llava"),
		hf.Within("projector_hidden_act", err),
		hf.Require("vision_feature_layer", f.FeatureLayer, -1, f.Vision.Layers),
		hf.Require("vision_feature_select_strategy", f.Strategy, "full"),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.check()),
	)
}

func (c VisionConfig) check() error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		c.Pretrained.Check(),
		hf.Require("model_type", c.ModelType, VisionModelType),
		hf.Require("num_channels", c.Channels, 3),
		hf.Check(c.theta() > 0 && c.theta() < 1e15, "rope_theta is %v, want a positive number", c.theta()),
		hf.CheckSizes(
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			hf.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "patch_size", Value: c.PatchSize, Limit: 1 << 10},
		),
	)
	if err == nil && c.Rope != nil {
		err = hf.Require("rope_parameters.rope_type", c.Rope.Type, "", "default", "axial")
	}
	if err != nil {
		return err
	}
	return errors.Join(
		hf.Check(c.Hidden%(2*c.Heads) == 0, "hidden_size is %d, no multiple of twice num_attention_heads, %d", c.Hidden, c.Heads),
		hf.EqualIfGiven("head_dim", c.HeadDim, "hidden_size/num_attention_heads", c.Hidden/c.Heads),
	)
}

func (c PictureConfig) check() error {
	bound := c.Size.bound()
	return errors.Join(
		c.PictureConfig.Check(),
		hf.Require("do_center_crop", c.CenterCrop != nil && *c.CenterCrop, false),
		hf.CheckSizes(
			hf.Size{Name: "size.longest_edge or size.height", Value: bound.Height, Limit: 1 << 14},
			hf.Size{Name: "size.longest_edge or size.width", Value: bound.Width, Limit: 1 << 14},
		),
	)
}

// bound is what a picture must fit into.
func (s SizeRule) bound() vision.Size {
	if s.Longest != 0 {
		return vision.Size{Height: s.Longest, Width: s.Longest}
	}
	return vision.Size{Height: s.Height, Width: s.Width}
}

// target is the size that a picture is brought to: shrunk to fit into the bound,
// the shape kept, and then up to whole patches.
func (s SizeRule) target(picture vision.Size, patch int) vision.Size {
	bound, h, w := s.bound(), float64(picture.Height), float64(picture.Width)
	if ratio := max(h/float64(bound.Height), w/float64(bound.Width)); ratio > 1 {
		h, w = math.Floor(h/ratio), math.Floor(w/ratio)
	}
	up := func(edge float64) int { return (int(edge) + patch - 1) / patch * patch }
	return vision.Size{Height: up(h), Width: up(w)}
}
