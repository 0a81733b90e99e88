package pixtral

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// architecture and visionModelType together name Pixtral in config.json: LLaVA's
// class with another vision tower, the model_type of vision_config.
const (
	architecture    = "LlavaForConditionalGeneration"
	visionModelType = "pixtral"
)

// modelConfig of a Pixtral verifier: the JSON files of its folder.
type modelConfig struct {
	Text          decoder.Config // text_config: a Mistral
	Vision        visionConfig
	Picture       pictureConfig
	Tokens        tokenConfig
	ImageToken    int    // id of the tokens that a picture's vectors stand in for
	Activation    string // of the projector between tower and language model
	ProjectorBias bool
}

// visionConfig sizes the vision tower: vision_config.
type visionConfig struct {
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
func (c visionConfig) theta() float64 {
	switch {
	case c.Rope != nil && c.Rope.Theta != nil:
		return *c.Rope.Theta
	case c.Theta != nil:
		return *c.Theta
	}
	return 10000
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
	Vision        visionConfig    `json:"vision_config"`
	ImageTokens   any             `json:"image_seq_length"` // of LLaVA's square pictures
	Ignored       any             `json:"ignore_index"`
	hf.Pretrained
}

// readConfig reads the JSON files of a Pixtral folder, of versions 4 and 5 of
// transformers. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "llava", Activation: "gelu", ProjectorBias: true, FeatureLayer: -2, Strategy: "default",
		Vision: visionConfig{
			Hidden: 1024, Intermediate: 4096, Layers: 24, Heads: 16, Channels: 3, PatchSize: 16, Activation: "gelu",
		},
	}
	if err := hf.ReadConfig(fsys, file, &f); err != nil {
		return modelConfig{}, err
	}
	c := modelConfig{Vision: f.Vision, ImageToken: f.imageToken(), Activation: f.Activation, ProjectorBias: f.ProjectorBias}
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

func (f modelFile) check() error {
	_, err := nn.Activation(f.Activation)
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "llava"),
		hf.Within("projector_hidden_act", err),
		hf.Require("vision_feature_layer", f.FeatureLayer, -1, f.Vision.Layers),
		hf.Require("vision_feature_select_strategy", f.Strategy, "full"),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.check()),
	)
}

func (c visionConfig) check() error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		c.Pretrained.Check(),
		hf.Require("model_type", c.ModelType, visionModelType),
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
