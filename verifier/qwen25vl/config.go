package qwen25vl

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// architecture names Qwen2.5-VL in config.json.
const architecture = "Qwen2_5_VLForConditionalGeneration"

// modelConfig of a Qwen2.5-VL: the JSON files of its folder.
type modelConfig struct {
	Text       decoder.Config
	Vision     visionConfig
	Processor  qwen.Pictures
	ImageToken int // id of the token that stands for a square of patches
}

// visionConfig sizes the vision tower. The fields are those of transformers'
// config.json.
type visionConfig struct {
	Depth        int        `json:"depth"`
	Hidden       int        `json:"hidden_size"`
	Intermediate int        `json:"intermediate_size"`
	Heads        int        `json:"num_heads"`
	Channels     int        `json:"in_channels"`
	OutHidden    int        `json:"out_hidden_size"`
	Patch        int        `json:"patch_size"`          // side in pixels
	Frames       int        `json:"temporal_patch_size"` // that a patch covers; a still picture is repeated
	Merge        int        `json:"spatial_merge_size"`  // side, in patches, of what becomes one token
	Window       int        `json:"window_size"`         // side in pixels
	FullBlocks   []int      `json:"fullatt_block_indexes"`
	Activation   string     `json:"hidden_act"`
	Rope         *qwen.Rope `json:"rope_parameters"`

	InChans         any `json:"in_chans"`           // never read by transformers, which reads in_channels
	SpatialPatch    any `json:"spatial_patch_size"` // the same as patch_size, never read
	TokensPerSecond any `json:"tokens_per_second"`  // of videos
	hf.Pretrained
}

// readConfig reads the JSON files of a Qwen2.5-VL folder, in the layouts of
// transformers 4 and 5. Errors name the file and the field; those about a value
// wrap hf.ErrConfig.
func readConfig(fsys fs.FS) (c modelConfig, err error) {
	const name = "config.json"
	var fields map[string]json.RawMessage
	if err := hf.ReadConfig(fsys, name, &fields); err != nil {
		return c, err
	}
	if err := c.read(fields); err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	c.Processor, err = qwen.ReadPictures(fsys, c.Vision.patches())
	return c, err
}

// read reads config.json. The language model's fields are in text_config since
// transformers 4.52 and beside the others before.
func (c *modelConfig) read(fields map[string]json.RawMessage) error {
	var architectures []string
	c.ImageToken = 151655 // this and the tower's are what transformers fills in
	c.Vision = visionConfig{
		Depth: 32, Hidden: 3584, Intermediate: 3420, Heads: 16, Channels: 3, OutHidden: 3584,
		Patch: 14, Frames: 2, Merge: 2, Window: 112, FullBlocks: []int{7, 15, 23, 31}, Activation: "silu",
	}
	own := map[string]any{ // where they are read to; nil is for what we have no use for
		"architectures": &architectures, "image_token_id": &c.ImageToken, "vision_config": &c.Vision,
		"video_token_id": nil, "vision_token_id": nil, "vision_start_token_id": nil, "vision_end_token_id": nil,
	}
	for name, to := range own {
		if value, ok := fields[name]; ok && to != nil {
			if err := hf.Decode(value, to); err != nil {
				return fmt.Errorf("%w: %s: %w", hf.ErrConfig, name, err)
			}
		}
	}
	if !slices.Equal(architectures, []string{architecture}) {
		return fmt.Errorf("%w: architectures is %q, supported: %s", hf.ErrConfig, architectures, architecture)
	}
	all, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	if c.Text, err = decoder.ParseConfig(all, slices.Collect(maps.Keys(own))...); err != nil {
		return err
	}
	return errors.Join(
		c.Vision.check(),
		hf.Equal("vision_config: out_hidden_size", c.Vision.OutHidden, "the language model's hidden_size", c.Text.Hidden),
		hf.Check(c.ImageToken >= 0 && c.ImageToken < c.Text.Vocabulary, "image_token_id is %d, the vocabulary has %d", c.ImageToken, c.Text.Vocabulary),
	)
}

// check names the fields that are not supported.
func (c *visionConfig) check() error {
	err := errors.Join(
		c.Pretrained.Check(),
		hf.Require("hidden_act", c.Activation, "silu"),
		hf.Require("in_channels", c.Channels, 3),
		hf.CheckSizes(
			hf.Size{Name: "depth", Value: c.Depth, Limit: 1 << 10},
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			hf.Size{Name: "num_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "out_hidden_size", Value: c.OutHidden, Limit: 1 << 16},
			hf.Size{Name: "patch_size", Value: c.Patch, Limit: 1 << 10},
			hf.Size{Name: "temporal_patch_size", Value: c.Frames, Limit: 1 << 6},
			hf.Size{Name: "spatial_merge_size", Value: c.Merge, Limit: 1 << 6},
			hf.Size{Name: "window_size", Value: c.Window, Limit: 1 << 16},
		),
	)
	switch {
	case err != nil:
	case c.Hidden%(4*c.Heads) != 0:
		err = fmt.Errorf("%w: hidden_size %d is no multiple of four times num_heads, %d", hf.ErrConfig, c.Hidden, c.Heads)
	case c.side() < 1:
		err = fmt.Errorf("%w: window_size %d is less than %d patches of patch_size %d", hf.ErrConfig, c.Window, c.Merge, c.Patch)
	case slices.ContainsFunc(c.FullBlocks, func(i int) bool { return i < 0 }):
		err = fmt.Errorf("%w: fullatt_block_indexes is %v", hf.ErrConfig, c.FullBlocks)
	default:
		err = c.Rope.Check()
	}
	if err != nil {
		return fmt.Errorf("vision_config: %w", err)
	}
	return nil
}

// side is that of a window, in tokens.
func (c visionConfig) side() int { return c.Window / c.Merge / c.Patch }

// patches are what the image processor has to agree with.
func (c visionConfig) patches() qwen.Patches {
	return qwen.Patches{Side: c.Patch, Frames: c.Frames, Merge: c.Merge}
}
