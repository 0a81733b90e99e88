package vision_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
)

func TestTowerConfig(t *testing.T) {
	sound := vision.TowerConfig{Hidden: 48, Intermediate: 100, Layers: 4, Heads: 4, Channels: 3, ImageSize: 98, PatchSize: 14, Epsilon: 1e-6}
	require.NoError(t, sound.Check())
	for names, spoil := range map[string]func(c *vision.TowerConfig){
		"hidden_size":         func(c *vision.TowerConfig) { c.Hidden = 1 << 17 },
		"intermediate_size":   func(c *vision.TowerConfig) { c.Intermediate = -1 },
		"num_hidden_layers":   func(c *vision.TowerConfig) { c.Layers = 0 },
		"num_attention_heads": func(c *vision.TowerConfig) { c.Heads = 5 },
		"num_channels":        func(c *vision.TowerConfig) { c.Channels = 1 },
		"image_size":          func(c *vision.TowerConfig) { c.ImageSize = 13 },
		"patch_size":          func(c *vision.TowerConfig) { c.PatchSize = 0 },
		"layer_norm_eps":      func(c *vision.TowerConfig) { c.Epsilon = 1 },
	} {
		c := sound
		spoil(&c)
		err := c.Check()
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, names)
	}
}
