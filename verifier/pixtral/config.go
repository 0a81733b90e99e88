package pixtral

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

// architecture names Pixtral in config.json together with the model_type of
// vision_config: LLaVA's class with another vision tower.
const architecture = "LlavaForConditionalGeneration"

// modelConfig of a Pixtral verifier: the JSON files of its folder.
type modelConfig struct {
	Text          decoder.Config // text_config: a Mistral
	Vision        vision.PixtralConfig
	Picture       vision.PixtralPictures
	Tokens        vision.PixtralTokens
	ImageToken    int    // id of the tokens that a picture's vectors stand in for
	Activation    string // of the projector between tower and language model
	ProjectorBias bool
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string             `json:"architectures"`
	ModelType     string               `json:"model_type"`
	ImageIndex    *int                 `json:"image_token_index"`
	ImageID       *int                 `json:"image_token_id"` // another name of it
	Activation    string               `json:"projector_hidden_act"`
	ProjectorBias bool                 `json:"multimodal_projector_bias"`
	FeatureLayer  int                  `json:"vision_feature_layer"`
	Strategy      string               `json:"vision_feature_select_strategy"`
	Tied          json.RawMessage      `json:"tie_word_embeddings"`
	Text          json.RawMessage      `json:"text_config"`
	Vision        vision.PixtralConfig `json:"vision_config"`
	ImageTokens   any                  `json:"image_seq_length"` // of LLaVA's square pictures
	Ignored       any                  `json:"ignore_index"`
	hf.Pretrained
}

// readConfig reads the JSON files of a Pixtral folder, of versions 4 and 5 of
// transformers. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "llava", Activation: "gelu", ProjectorBias: true, FeatureLayer: -2, Strategy: "default",
		Vision: vision.DefaultPixtralConfig(),
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
	c.Picture, c.Tokens, err = vision.ReadPixtralProcessor(fsys, c.Vision.PatchSize, 1)
	return c, err
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
		hf.Within("vision_config", f.Vision.Check()),
	)
}
