package decoder

import (
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// qwen2 are the fields of Qwen2 with rotary embeddings of three axes, the language
// model of Qwen2.5-VL (Bai et al., 2025).
type qwen2 struct {
	common
	SlidingWindow    *int `json:"sliding_window"`
	UseSlidingWindow bool `json:"use_sliding_window"`
	MaxWindowLayers  *int `json:"max_window_layers"` // without a window, before those with one

	// Of the whole model, which version 4.57 of transformers repeats here.

	ImageToken  any `json:"image_token_id"`
	VideoToken  any `json:"video_token_id"`
	VisionToken any `json:"vision_token_id"`
	VisionStart any `json:"vision_start_token_id"`
	VisionEnd   any `json:"vision_end_token_id"`
}

func newQwen2() family {
	return &qwen2{
		common: common{
			Layers: 80, Hidden: 8192, Intermediate: 29568, Heads: 64, KVHeads: new(8), Vocabulary: 152064,
			Epsilon: 1e-5, Activation: "silu", Theta: new(1e6),
		},
		SlidingWindow: new(4096), MaxWindowLayers: new(80),
	}
}

func (f *qwen2) config() (Config, error) {
	c, err := f.base(false)
	if err != nil {
		return c, err
	}
	c.QKVBias = true
	late := func(layer int) bool {
		return f.UseSlidingWindow && f.SlidingWindow != nil && layer >= value(f.MaxWindowLayers)
	}
	return c, errors.Join(
		hf.EqualIfGiven("head_dim", f.HeadDim, "hidden_size/num_attention_heads", f.Hidden/f.Heads),
		f.windows(&c, f.SlidingWindow, late),
		f.mrope(&c),
	)
}

// mrope reads the rotary embedding and how its frequencies are divided among the
// three axes of positions.
func (f *qwen2) mrope(c *Config) error {
	var fields struct {
		rope
		Sections []int `json:"mrope_section"`
	}
	err := f.rotaryTo(c, &fields, "mrope")
	c.Sections = fields.Sections
	if c.Sections == nil {
		c.Sections = []int{16, 24, 24}
	}
	return err
}
