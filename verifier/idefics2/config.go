package idefics2

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// architecture names Idefics2 in config.json.
const architecture = "Idefics2ForConditionalGeneration"

// modelConfig of an Idefics2 verifier: the JSON files of its folder.
type modelConfig struct {
	Text       decoder.Config // text_config: a Mistral
	Vision     visionConfig
	Resampler  resamplerConfig
	Picture    pictureConfig
	ImageToken int // id of the tokens that a picture's vectors stand in for
}

// visionConfig sizes the vision tower, a SigLIP that takes pictures of any shape:
// vision_config.
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
	hf.Pretrained
}

// side is the number of positions along one side.
func (c visionConfig) side() int { return c.ImageSize / c.PatchSize }

// resamplerConfig sizes what sums a picture up in a fixed number of vectors:
// perceiver_config.
type resamplerConfig struct {
	Hidden     int     `json:"hidden_size"`
	Latents    int     `json:"resampler_n_latents"` // vectors per picture
	Layers     int     `json:"resampler_depth"`
	Heads      int     `json:"resampler_n_heads"`
	KVHeads    int     `json:"num_key_value_heads"`
	HeadDim    int     `json:"resampler_head_dim"`
	Activation string  `json:"hidden_act"`
	Epsilon    float64 `json:"rms_norm_eps"`
	hf.Pretrained
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	ImageToken    int             `json:"image_token_id"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`
	Text          json.RawMessage `json:"text_config"`
	Vision        visionConfig    `json:"vision_config"`
	Resampler     resamplerConfig `json:"perceiver_config"`
	hf.Pretrained
}

// readConfig reads the JSON files of an Idefics2 folder, of versions 4 and 5 of
// transformers. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "idefics2", ImageToken: 32001,
		Vision: visionConfig{
			ModelType: "idefics2_vision", Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3, ImageSize: 224, PatchSize: 32,
			Activation: "gelu_pytorch_tanh", Epsilon: 1e-6,
		},
		Resampler: resamplerConfig{
			Hidden: 4096, Latents: 64, Layers: 3, Heads: 16, KVHeads: 4, HeadDim: 96, Activation: "silu", Epsilon: 1e-6,
		},
	}
	if err := hf.ReadConfig(fsys, file, &f); err != nil {
		return modelConfig{}, err
	}
	c := modelConfig{Vision: f.Vision, Resampler: f.Resampler, ImageToken: f.ImageToken}
	err := f.check()
	if err == nil {
		c.Text, err = f.text()
	}
	if err == nil {
		err = c.join()
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, c.readProcessor(fsys)
}

// text reads the language model's configuration. Without any it is a Mistral with
// an epsilon of its own.
func (f modelFile) text() (decoder.Config, error) {
	if hf.Null(f.Text) {
		f.Text = json.RawMessage(`{"rms_norm_eps": 1e-5}`)
	}
	return vlm.TextConfig(f.Text, f.Tied, "mistral", "mistral")
}

func (f modelFile) check() error {
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "idefics2"),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.check()),
		hf.Within("perceiver_config", f.Resampler.check()),
	)
}

// join makes one of the parts, and compares them.
func (c *modelConfig) join() error {
	if c.Resampler.Hidden != c.Text.Hidden { // as transformers does, epsilon and all
		c.Resampler.Hidden, c.Resampler.Epsilon = c.Text.Hidden, c.Text.Epsilon
	}
	if c.ImageToken < 0 || c.ImageToken >= c.Text.Vocabulary {
		return fmt.Errorf("%w: image_token_id is %d, the vocabulary has %d", hf.ErrConfig, c.ImageToken, c.Text.Vocabulary)
	}
	return nil
}

func (c visionConfig) check() error {
	_, err := nn.Activation(c.Activation)
	return errors.Join(
		hf.Within("hidden_act", err),
		// The older of these is that of the whole model, which the first versions wrote here too.
		hf.Require("model_type", c.ModelType, "idefics2", "idefics2_vision"),
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

func (c resamplerConfig) check() error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		c.Pretrained.Check(),
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "rms_norm_eps is %v, want a number between 0 and 1", c.Epsilon),
		hf.CheckSizes(
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "resampler_n_latents", Value: c.Latents, Limit: 1 << 12},
			hf.Size{Name: "resampler_depth", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "resampler_n_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "num_key_value_heads", Value: c.KVHeads, Limit: 1 << 10},
			hf.Size{Name: "resampler_head_dim", Value: c.HeadDim, Limit: 1 << 12},
		),
	)
	if err == nil && c.Heads%c.KVHeads != 0 {
		err = hf.Errorf("resampler_n_heads is %d, no multiple of num_key_value_heads, %d", c.Heads, c.KVHeads)
	}
	return err
}
