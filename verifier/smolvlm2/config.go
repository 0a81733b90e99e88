package smolvlm2

import (
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// architectures are the names of the models in config.json, by their model_type. They
// compute the same.
var architectures = map[string]string{
	"smolvlm":  "SmolVLMForConditionalGeneration",
	"idefics3": "Idefics3ForConditionalGeneration",
}

// modelConfig of a SmolVLM or an Idefics3: the JSON files of its folder.
type modelConfig struct {
	Text       decoder.Config // text_config: a Llama
	Vision     visionConfig
	Picture    pictureConfig
	ImageToken int // id of the tokens that a picture's vectors stand in for
	Square     int // patches a side of the squares that become one vector
}

// visionConfig sizes the vision tower, a SigLIP: vision_config.
type visionConfig struct {
	ModelType    string  `json:"model_type"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Channels     int     `json:"num_channels"`
	ImageSize    int     `json:"image_size"` // pixels a side of the grid that positions are learnt on
	PatchSize    int     `json:"patch_size"`
	Activation   string  `json:"hidden_act"`
	Epsilon      float64 `json:"layer_norm_eps"`

	Size   any `json:"size"` // of pictures and of their tiles; those of the processor count
	Tile   any `json:"max_image_size"`
	SigLIP any `json:"use_base_siglip"` // from where the training began
	hf.Pretrained
}

// side is the number of positions along one side.
func (c visionConfig) side() int { return c.ImageSize / c.PatchSize }

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	ImageToken    int             `json:"image_token_id"`
	Square        int             `json:"scale_factor"`
	Tied          bool            `json:"tie_word_embeddings"`
	Text          json.RawMessage `json:"text_config"`
	Vision        visionConfig    `json:"vision_config"`
	Vocabulary    any             `json:"vocab_size"`    // that of text_config counts
	Padding       any             `json:"_pad_token_id"` // pad_token_id, as version 5 writes it; there is no padding here
	hf.Pretrained
}

// readConfig reads the JSON files of a folder, of versions 4 and 5 of transformers.
// Errors name the file and the field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "smolvlm", ImageToken: 128257, Square: 2,
		Vision: visionConfig{
			ModelType: "smolvlm_vision", Hidden: 1152, Intermediate: 3072, Layers: 12, Heads: 16, Channels: 3, ImageSize: 224, PatchSize: 32,
			Activation: "gelu_pytorch_tanh", Epsilon: 1e-6,
		},
	}
	if err := hf.ReadConfig(fsys, file, &f); err != nil {
		return modelConfig{}, err
	}
	c := modelConfig{Vision: f.Vision, ImageToken: f.ImageToken, Square: f.Square}
	err := f.check()
	if err == nil {
		c.Text, err = f.text()
	}
	if err == nil {
		err = hf.Check(c.ImageToken >= 0 && c.ImageToken < c.Text.Vocabulary, "image_token_id is %d, the vocabulary has %d", c.ImageToken, c.Text.Vocabulary)
	}
	if err != nil {
		return c, hf.Within(file, err)
	}
	return c, c.readProcessor(fsys)
}

// text reads the language model's configuration. Whether the head is tied is said
// outside of it.
func (f modelFile) text() (decoder.Config, error) {
	if hf.Null(f.Text) { // what transformers fills in
		f.Text = json.RawMessage(`{"rms_norm_eps": 1e-5}`)
	}
	c, err := vlm.TextConfig(f.Text, nil, "llama", "llama")
	c.TiedHead = f.Tied
	return c, err
}

func (f modelFile) check() error {
	return errors.Join(
		hf.Require("model_type", f.ModelType, "smolvlm", "idefics3"),
		hf.CheckArchitecture(f.Architectures, architectures[f.ModelType]),
		hf.CheckSizes(hf.Size{Name: "scale_factor", Value: f.Square, Limit: 1 << 6}),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.check()),
	)
}

func (c visionConfig) check() error {
	_, err := nn.Activation(c.Activation)
	return errors.Join(
		hf.Within("hidden_act", err),
		// The first versions wrote the whole model's name here too.
		hf.Require("model_type", c.ModelType, "smolvlm_vision", "smolvlm", "idefics3_vision", "idefics3"),
		c.Pretrained.Check(),
		c.tower().Check(),
	)
}

// tower describes the SigLIP.
func (c visionConfig) tower() vision.TowerConfig {
	return vision.TowerConfig{
		Hidden: c.Hidden, Intermediate: c.Intermediate, Layers: c.Layers, Heads: c.Heads, Channels: c.Channels,
		ImageSize: c.ImageSize, PatchSize: c.PatchSize, Epsilon: c.Epsilon,
	}
}

// blocks describes those of the SigLIP.
func (c visionConfig) blocks() nn.EncoderConfig {
	return nn.EncoderConfig{
		Layers: c.Layers, Hidden: c.Hidden, Intermediate: c.Intermediate, Heads: c.Heads, Epsilon: c.Epsilon,
		Activation: nn.MustActivation(c.Activation), // readConfig has checked it
	}
}
