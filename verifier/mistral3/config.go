package mistral3

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// architecture names the models in config.json.
const architecture = "Mistral3ForConditionalGeneration"

// modelConfig of a Ministral 3 or a Mistral Small 3: the JSON files of its folder.
type modelConfig struct {
	Text          decoder.Config // text_config: a Ministral 3 or a Mistral
	Vision        vision.PixtralConfig
	Picture       vision.PixtralPictures
	Tokens        vision.PixtralTokens
	System        string // the message that a conversation begins with; "" for none
	ImageToken    int    // id of the tokens that a picture's vectors stand in for
	Merge         int    // patches a side of the squares that become one vector
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
	Merge         int                  `json:"spatial_merge_size"`
	Tied          *bool                `json:"tie_word_embeddings"`
	Text          json.RawMessage      `json:"text_config"`
	Vision        vision.PixtralConfig `json:"vision_config"`
	hf.Pretrained
}

// standardText is the text_config of a config.json that has none.
const standardText = `{"hidden_size": 5120, "intermediate_size": 32768, "num_hidden_layers": 40, "num_attention_heads": 32,
	"num_key_value_heads": 8, "head_dim": 128, "rms_norm_eps": 1e-5, "rope_theta": 1e9, "sliding_window": null, "vocab_size": 131072}`

// readConfig reads the JSON files of a folder, of versions 4 and 5 of transformers, and
// the chat template. Errors name the file and the field; those about a value wrap
// hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const file = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "mistral3", Activation: "gelu", FeatureLayer: -1, Merge: 2, Text: json.RawMessage(standardText), Vision: vision.DefaultPixtralConfig(),
	}
	if err := hf.ReadConfig(fsys, file, &f); err != nil {
		return modelConfig{}, err
	}
	c := modelConfig{
		Vision: f.Vision, ImageToken: *cmp.Or(f.ImageID, f.ImageIndex, new(10)), Merge: f.Merge, Activation: f.Activation, ProjectorBias: f.ProjectorBias,
	}
	err := f.check()
	if err == nil {
		c.Text, err = vlm.TextConfig(f.Text, nil, "mistral", "mistral", "ministral3")
	}
	if err == nil {
		err = hf.Check(c.ImageToken >= 0 && c.ImageToken < c.Text.Vocabulary, "image_token_index is %d, the vocabulary has %d", c.ImageToken, c.Text.Vocabulary)
	}
	if err != nil {
		return c, hf.Within(file, err)
	}
	c.Text.TiedHead = f.Tied == nil || *f.Tied // not what text_config says
	c.Picture, c.Tokens, err = vision.ReadPixtralProcessor(fsys, c.Vision.PatchSize, c.Merge)
	if err != nil {
		return c, err
	}
	c.System, err = readSystem(fsys)
	return c, err
}

func (f modelFile) check() error {
	_, err := nn.Activation(f.Activation)
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "mistral3"),
		hf.Within("projector_hidden_act", err),
		hf.Require("vision_feature_layer", f.FeatureLayer, -1, f.Vision.Layers),
		hf.CheckSizes(hf.Size{Name: "spatial_merge_size", Value: f.Merge, Limit: 1 << 6}),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.Check()),
	)
}
