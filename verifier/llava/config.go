package llava

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// architecture names LLaVA in config.json. Pixtral has the same name and another
// vision_config.model_type.
const architecture = "LlavaForConditionalGeneration"

// modelConfig of a LLaVA verifier: the JSON files of its folder, as transformers 4.36 to
// 5.23 write them. What the files leave out, as those of the real checkpoints do
// with much, is filled in as transformers does.
type modelConfig struct {
	Text       decoder.Config
	Vision     vision.CLIPConfig
	Picture    vision.CLIPPictures
	ImageToken int // id of the tokens that a picture's features stand in for
	Blocks     int // of the tower that are run: the features are the output of the last of them
	ClassToken bool
	Activation string // of the projector
	Bias       bool   // of the projector's layers
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	Text          json.RawMessage `json:"text_config"`
	Vision        json.RawMessage `json:"vision_config"`
	ImageIndex    int             `json:"image_token_index"`
	ImageID       *int            `json:"image_token_id"` // the same, as newer versions call it
	FeatureLayer  int             `json:"vision_feature_layer"`
	Strategy      string          `json:"vision_feature_select_strategy"`
	Activation    string          `json:"projector_hidden_act"`
	Bias          bool            `json:"multimodal_projector_bias"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`

	IgnoreIndex any `json:"ignore_index"`     // of the loss in training
	ImageTokens any `json:"image_seq_length"` // the tower's grid says it
	Vocabulary  any `json:"vocab_size"`       // text_config's counts
	hf.Pretrained
}

// readConfig reads the JSON files of a LLaVA folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const name = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "llava", ImageIndex: 32000, FeatureLayer: -2, Strategy: "default", Activation: "gelu", Bias: true,
	}
	if err := hf.ReadConfig(fsys, name, &f); err != nil {
		return modelConfig{}, err
	}
	c, err := f.config()
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, c.readProcessor(fsys)
}

// config says what the fields mean.
func (f modelFile) config() (c modelConfig, err error) {
	if f.ImageID != nil {
		f.ImageIndex = *f.ImageID
	}
	c = modelConfig{
		ImageToken: f.ImageIndex, Blocks: f.FeatureLayer, ClassToken: f.Strategy == "full", Activation: f.Activation, Bias: f.Bias,
	}
	err = errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "llava"),
		hf.Require("vision_feature_select_strategy", f.Strategy, "default", "full"),
		f.Pretrained.Check(),
	)
	if err != nil {
		return c, err
	}
	if c.Vision, err = f.vision(); err != nil {
		return c, hf.Within("vision_config", err)
	}
	if f.FeatureLayer < 0 { // the states are those before the first block and after each
		c.Blocks += c.Vision.Layers + 1
	}
	if c.Blocks < 0 || c.Blocks > c.Vision.Layers {
		return c, fmt.Errorf("%w: vision_feature_layer is %d, num_hidden_layers %d", hf.ErrConfig, f.FeatureLayer, c.Vision.Layers)
	}
	c.Text, err = vlm.TextConfig(f.Text, f.Tied, "llama")
	return c, err
}

// vision reads the tower's configuration: what transformers fills in is CLIP's
// base model where a field is missing, and its large one where all are.
func (f modelFile) vision() (vision.CLIPConfig, error) {
	if hf.Null(f.Vision) {
		f.Vision = json.RawMessage(`{"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
			"num_attention_heads": 16, "image_size": 336, "patch_size": 14}`)
	}
	return vision.DecodeCLIPConfig(f.Vision)
}

// tokens is how many a picture becomes.
func (c modelConfig) tokens() int {
	n := c.Vision.Side() * c.Vision.Side()
	if c.ClassToken {
		n++
	}
	return n
}
