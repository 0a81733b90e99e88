package qwen3vl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// architecture names Qwen3-VL in config.json, textType its language model.
const (
	architecture = "Qwen3VLForConditionalGeneration"
	textType     = "qwen3_vl_text"
)

// modelConfig of a Qwen3-VL: the JSON files of its folder.
type modelConfig struct {
	Text       decoder.Config
	Vision     visionConfig
	Pictures   qwen.Pictures
	ImageToken int // id of the token that stands for a square of patches
}

// visionConfig sizes the vision tower. The fields are those of transformers'
// config.json.
type visionConfig struct {
	ModelType    string     `json:"model_type"`
	Depth        int        `json:"depth"`
	Hidden       int        `json:"hidden_size"`
	Intermediate int        `json:"intermediate_size"`
	Heads        int        `json:"num_heads"`
	Channels     int        `json:"in_channels"`
	OutHidden    int        `json:"out_hidden_size"`
	Patch        int        `json:"patch_size"`          // side in pixels
	Frames       int        `json:"temporal_patch_size"` // that a patch covers; a still picture is repeated
	Merge        int        `json:"spatial_merge_size"`  // side, in patches, of what becomes one token
	Positions    int        `json:"num_position_embeddings"`
	Deep         []int      `json:"deepstack_visual_indexes"` // the blocks whose outputs go to the first decoder layers
	Activation   string     `json:"hidden_act"`
	Rope         *qwen.Rope `json:"rope_parameters"`
	hf.Pretrained
}

// modelFile is config.json.
type modelFile struct {
	Architectures []string        `json:"architectures"`
	ModelType     string          `json:"model_type"`
	Text          json.RawMessage `json:"text_config"`
	Vision        visionConfig    `json:"vision_config"`
	ImageToken    int             `json:"image_token_id"`
	Tied          json.RawMessage `json:"tie_word_embeddings"`

	VideoToken  any `json:"video_token_id"`
	VisionStart any `json:"vision_start_token_id"` // which the prompt has by its name
	VisionEnd   any `json:"vision_end_token_id"`
	hf.Pretrained
}

// readConfig reads the JSON files of a Qwen3-VL folder. Errors name the file and the
// field; those about a value wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c modelConfig, err error) {
	const name = "config.json"
	f := modelFile{ // what transformers fills in
		ModelType: "qwen3_vl", ImageToken: 151655,
		Vision: visionConfig{
			ModelType: "qwen3_vl", Depth: 27, Hidden: 1152, Intermediate: 4304, Heads: 16, Channels: 3, OutHidden: 3584,
			Patch: 16, Frames: 2, Merge: 2, Positions: 2304, Deep: []int{8, 16, 24}, Activation: "gelu_pytorch_tanh",
		},
	}
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
	c.Pictures, err = qwen.ReadPictures(fsys, c.Vision.patches())
	return c, err
}

func (f modelFile) check() error {
	return errors.Join(
		hf.CheckArchitecture(f.Architectures, architecture),
		hf.Require("model_type", f.ModelType, "qwen3_vl"),
		f.Pretrained.Check(),
		hf.Within("vision_config", f.Vision.check()),
	)
}

// check compares the parts with each other.
func (c modelConfig) check() error {
	return errors.Join(
		hf.Equal("vision_config: out_hidden_size", c.Vision.OutHidden, "the language model's hidden_size", c.Text.Hidden),
		hf.Check(len(c.Vision.Deep) <= c.Text.Layers, "vision_config: deepstack_visual_indexes are %d, num_hidden_layers is %d", len(c.Vision.Deep), c.Text.Layers),
		hf.Check(c.ImageToken >= 0 && c.ImageToken < c.Text.Vocabulary, "image_token_id is %d, the vocabulary has %d", c.ImageToken, c.Text.Vocabulary),
	)
}

// check names the fields that are not supported.
func (c visionConfig) check() error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		hf.Require("model_type", c.ModelType, "qwen3_vl", "qwen3_vl_vision"),
		hf.Require("in_channels", c.Channels, 3),
		c.Pretrained.Check(),
		c.Rope.Check(),
		hf.CheckSizes(
			hf.Size{Name: "depth", Value: c.Depth, Limit: 1 << 10},
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			hf.Size{Name: "num_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "out_hidden_size", Value: c.OutHidden, Limit: 1 << 16},
			hf.Size{Name: "patch_size", Value: c.Patch, Limit: 1 << 10},
			hf.Size{Name: "temporal_patch_size", Value: c.Frames, Limit: 1 << 6},
			hf.Size{Name: "spatial_merge_size", Value: c.Merge, Limit: 1 << 6},
			hf.Size{Name: "num_position_embeddings", Value: c.Positions, Limit: 1 << 20},
		),
	)
	if err != nil {
		return err
	}
	return errors.Join(
		hf.Check(c.Hidden%(4*c.Heads) == 0, "hidden_size %d is no multiple of four times num_heads, %d", c.Hidden, c.Heads),
		hf.Check(c.side()*c.side() == c.Positions, "num_position_embeddings is %d, which is no square", c.Positions),
		c.checkDeep(),
	)
}

// checkDeep wants the blocks in their order: transformers takes the mergers in the
// order of the list, and what they make in that of the blocks.
func (c visionConfig) checkDeep() error {
	sorted := slices.Sorted(slices.Values(c.Deep))
	ok := slices.Equal(sorted, c.Deep) && len(slices.Compact(sorted)) == len(c.Deep)
	for _, i := range c.Deep {
		ok = ok && i >= 0 && i < c.Depth
	}
	return hf.Check(ok, "deepstack_visual_indexes is %v, want numbers of blocks from 0 to %d that grow", c.Deep, c.Depth-1)
}

// side is that of the grid of learned positions.
func (c visionConfig) side() int { return int(math.Sqrt(float64(c.Positions))) }

// patches are what the image processor has to agree with.
func (c visionConfig) patches() qwen.Patches {
	return qwen.Patches{Side: c.Patch, Frames: c.Frames, Merge: c.Merge}
}
