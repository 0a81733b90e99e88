package vision

import (
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// TowerConfig are the fields that the configurations of CLIP's and SigLIP's towers
// share, of those that can make no sense.
type TowerConfig struct {
	Hidden       int
	Intermediate int
	Layers       int
	Heads        int
	Channels     int
	ImageSize    int // in pixels, a side
	PatchSize    int
	Epsilon      float64
}

// Check names the field, as transformers' config.json does, whose value makes no
// sense. The error wraps hf.ErrConfig.
func (c TowerConfig) Check() error {
	err := errors.Join(
		hf.Require("num_channels", c.Channels, 3),
		hf.CheckSizes(
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			hf.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "image_size", Value: c.ImageSize, Limit: 1 << 14},
			hf.Size{Name: "patch_size", Value: c.PatchSize, Limit: 1 << 10},
		),
	)
	switch {
	case err != nil:
		return err
	case c.Hidden%c.Heads != 0:
		return hf.Errorf("hidden_size %d is no multiple of num_attention_heads %d", c.Hidden, c.Heads)
	case c.ImageSize < c.PatchSize:
		return hf.Errorf("image_size %d is less than patch_size %d", c.ImageSize, c.PatchSize)
	case !(c.Epsilon > 0 && c.Epsilon < 1):
		return hf.Errorf("layer_norm_eps is %v", c.Epsilon)
	}
	return nil
}
