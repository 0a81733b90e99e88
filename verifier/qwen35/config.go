package qwen35

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// architecture names Qwen3.5 in config.json, textType its language model.
const (
	architecture = "Qwen3_5ForConditionalGeneration"
	textType     = "qwen3_5_text"
)

// modelConfig of a Qwen3.5: the JSON files of its folder.
type modelConfig struct {
	Text       decoder.Config
	Vision     qwen.TowerConfig
	Pictures   qwen.Pictures
	ImageToken int // id of the token that stands for a square of patches
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string         `json:"architectures"`
	ModelType     string           `json:"model_type"`
	Text          json.RawMessage  `json:"text_config"`
	Vision        qwen.TowerConfig `json:"vision_config"`
	ImageToken    int              `json:"image_token_id"`
	Tied          json.RawMessage  `json:"tie_word_embeddings"`

	VideoToken  any `json:"video_token_id"`
	VisionStart any `json:"vision_start_token_id"` // which the prompt has by its name
	VisionEnd   any `json:"vision_end_token_id"`
	hf.Pretrained
}

// readConfig reads the JSON files of a Qwen3.5 folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c modelConfig, err error) {
	const name = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "qwen3_5", ImageToken: 248056,
		Vision: qwen.DefaultTower("qwen3_5"),
	}
	f.Vision.Deep = nil
	if err := hf.ReadConfig(fsys, name, &f); err != nil {
		return c, err
	}
	c.Vision, c.ImageToken = f.Vision, f.ImageToken
	if err = f.check(); err == nil {
		c.Text, err = vlm.TextConfig(f.Text, f.Tied, textType, textType)
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	c.Pictures, err = qwen.ReadPictures(fsys, c.Vision.Patches())
	return c, err
}

func (f modelFile) check() error {
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "qwen3_5"),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.Check("qwen3_5", "qwen3_5_vision")),
	)
}

// check compares the parts with each other.
func (c modelConfig) check() error {
	return errors.Join(
		hf.Equal("vision_config: out_hidden_size", c.Vision.OutHidden, "the language model's hidden_size", c.Text.Hidden),
		hf.Check(len(c.Vision.Deep) == 0, "vision_config: deepstack_visual_indexes is %v, supported: none", c.Vision.Deep),
		hf.Check(c.ImageToken >= 0 && c.ImageToken < c.Text.Vocabulary, "image_token_id is %d, the vocabulary has %d", c.ImageToken, c.Text.Vocabulary),
	)
}
