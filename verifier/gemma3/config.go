package gemma3

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// architecture names Gemma 3 with its vision tower in config.json.
const architecture = "Gemma3ForConditionalGeneration"

// textType is the model_type of the language models that have a vision tower.
const textType = "gemma3_text"

// modelConfig of a Gemma 3 verifier: the JSON files of its folder, as transformers 4.50
// to 5.23 write them. What the files leave out, as those of the real checkpoints do
// with most, is filled in as transformers does.
type modelConfig struct {
	Text        decoder.Config
	Vision      visionConfig
	Picture     pictureConfig
	ImageTokens int // that a picture becomes, a square number
	ImageToken  int // id of the tokens that a picture's features stand in for
	Begin, End  int // ids of the tokens around them
}

// visionConfig sizes the SigLIP tower. The fields are those of transformers'
// config.json.
type visionConfig struct {
	ModelType    string  `json:"model_type"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Channels     int     `json:"num_channels"`
	ImageSize    int     `json:"image_size"` // in pixels, a side
	PatchSize    int     `json:"patch_size"`
	Activation   string  `json:"hidden_act"`
	Epsilon      float64 `json:"layer_norm_eps"`

	Head any `json:"vision_use_head"` // of a classifier, which Gemma has no use for
	hf.Pretrained
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	Text          json.RawMessage `json:"text_config"`
	Vision        visionConfig    `json:"vision_config"`
	ImageTokens   int             `json:"mm_tokens_per_image"`
	Begin         int             `json:"boi_token_index"`
	End           int             `json:"eoi_token_index"`
	ImageToken    int             `json:"image_token_index"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`
	hf.Pretrained
}

// readConfig reads the JSON files of a Gemma 3 folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (modelConfig, error) {
	const name = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "gemma3", ImageTokens: 256, Begin: 255_999, End: 256_000, ImageToken: 262_144,
		Vision: visionConfig{
			ModelType: "siglip_vision_model", Hidden: 768, Intermediate: 3072, Layers: 12, Heads: 12, Channels: 3,
			ImageSize: 224, PatchSize: 16, Activation: "gelu_pytorch_tanh", Epsilon: 1e-6,
		},
	}
	if err := hf.ReadConfig(fsys, name, &f); err != nil {
		return modelConfig{}, err
	}
	c := modelConfig{Vision: f.Vision, ImageTokens: f.ImageTokens, Begin: f.Begin, End: f.End, ImageToken: f.ImageToken}
	err := f.check()
	if err == nil {
		c.Text, err = vlm.TextConfig(f.Text, f.Tied, textType, textType)
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, c.readProcessor(fsys)
}

func (f modelFile) check() error {
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "gemma3"),
		f.Pretrained.Check(),
		f.Vision.check(),
		hf.CheckSizes(hf.Size{Name: "mm_tokens_per_image", Value: f.ImageTokens, Limit: 1 << 16}),
	)
}

func (c visionConfig) check() error {
	_, err := c.encoder()
	return hf.Within("vision_config", errors.Join(err,
		hf.Require("model_type", c.ModelType, "siglip_vision_model"),
		c.Pretrained.Check(),
		vision.TowerConfig{
			Hidden: c.Hidden, Intermediate: c.Intermediate, Layers: c.Layers, Heads: c.Heads, Channels: c.Channels,
			ImageSize: c.ImageSize, PatchSize: c.PatchSize, Epsilon: c.Epsilon,
		}.Check(),
	))
}

// patches is how many there are along a side of the picture that the tower reads.
func (c visionConfig) patches() int { return c.ImageSize / c.PatchSize }

// window is the side, in patches, of the squares that become one token each.
func (c modelConfig) window() int { return c.Vision.patches() / int(math.Sqrt(float64(c.ImageTokens))) }

// check compares the parts with each other.
func (c modelConfig) check() error {
	for name, id := range map[string]int{"boi_token_index": c.Begin, "eoi_token_index": c.End, "image_token_index": c.ImageToken} {
		if id < 0 || id >= c.Text.Vocabulary {
			return fmt.Errorf("%w: %s is %d, the vocabulary has %d", hf.ErrConfig, name, id, c.Text.Vocabulary)
		}
	}
	patches, window := c.Vision.patches(), c.window()
	if window == 0 || (patches/window)*(patches/window) != c.ImageTokens {
		return fmt.Errorf("%w: mm_tokens_per_image is %d, which %d x %d patches can't be pooled to", hf.ErrConfig, c.ImageTokens, patches, patches)
	}
	return nil
}
