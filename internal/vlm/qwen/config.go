package qwen

import (
	"errors"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// TowerConfig sizes a Tower: vision_config. The fields are those of transformers'
// config.json.
type TowerConfig struct {
	ModelType    string `json:"model_type"`
	Depth        int    `json:"depth"`
	Hidden       int    `json:"hidden_size"`
	Intermediate int    `json:"intermediate_size"`
	Heads        int    `json:"num_heads"`
	Channels     int    `json:"in_channels"`
	OutHidden    int    `json:"out_hidden_size"`
	Patch        int    `json:"patch_size"`          // side in pixels
	Frames       int    `json:"temporal_patch_size"` // that a patch covers; a still picture is repeated
	Merge        int    `json:"spatial_merge_size"`  // side, in patches, of what becomes one token
	Positions    int    `json:"num_position_embeddings"`
	Deep         []int  `json:"deepstack_visual_indexes"` // the blocks whose outputs go to the first decoder layers
	Activation   string `json:"hidden_act"`
	Rope         *Rope  `json:"rope_parameters"`
	hf.Pretrained
}

// DefaultTower is what transformers fills in.
func DefaultTower(modelType string) TowerConfig {
	return TowerConfig{
		ModelType: modelType, Depth: 27, Hidden: 1152, Intermediate: 4304, Heads: 16, Channels: 3, OutHidden: 3584,
		Patch: 16, Frames: 2, Merge: 2, Positions: 2304, Deep: []int{8, 16, 24}, Activation: "gelu_pytorch_tanh",
	}
}

// Check names the fields that are not supported, among them another model_type.
func (c TowerConfig) Check(modelTypes ...string) error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		hf.Require("model_type", c.ModelType, modelTypes...),
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
func (c TowerConfig) checkDeep() error {
	sorted := slices.Sorted(slices.Values(c.Deep))
	ok := slices.Equal(sorted, c.Deep) && len(slices.Compact(sorted)) == len(c.Deep)
	for _, i := range c.Deep {
		ok = ok && i >= 0 && i < c.Depth
	}
	return hf.Check(ok, "deepstack_visual_indexes is %v, want numbers of blocks from 0 to %d that grow", c.Deep, c.Depth-1)
}

// side is that of the grid of learned positions.
func (c TowerConfig) side() int { return int(math.Sqrt(float64(c.Positions))) }

// Patches are what the image processor has to agree with.
func (c TowerConfig) Patches() Patches {
	return Patches{Side: c.Patch, Frames: c.Frames, Merge: c.Merge}
}

// Activations estimates the numbers that the backward pass keeps of a picture of so
// many patches.
func (c TowerConfig) Activations(patches int) int {
	return nn.EncoderConfig{Layers: c.Depth, Hidden: c.Hidden, Intermediate: c.Intermediate, Heads: c.Heads}.Activations(patches)
}
