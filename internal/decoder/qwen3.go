package decoder

import "errors"

// qwen3 are the fields of Qwen3 (Yang et al., 2025), which encodes the prompts of
// FLUX.2 klein and of Z-Image.
type qwen3 struct {
	common
	AttentionBias    bool `json:"attention_bias"`
	SlidingWindow    *int `json:"sliding_window"`
	UseSlidingWindow bool `json:"use_sliding_window"`
	MaxWindowLayers  *int `json:"max_window_layers"` // without a window, before those with one
}

func newQwen3() family {
	return &qwen3{common: qwen3Common(1e4), SlidingWindow: new(4096), MaxWindowLayers: new(28)}
}

// qwen3Common are the defaults that Qwen3-VL has too.
func qwen3Common(theta float64) common {
	return common{
		Layers: 32, Hidden: 4096, Intermediate: 22016, Heads: 32, KVHeads: new(32), HeadDim: new(128), Vocabulary: 151936,
		Epsilon: 1e-6, Activation: "silu", Theta: &theta,
	}
}

func (f *qwen3) config() (Config, error) {
	c, err := f.qwen3(f.AttentionBias)
	if err != nil {
		return c, err
	}
	var window *int
	if f.UseSlidingWindow {
		window = f.SlidingWindow
	}
	late := func(layer int) bool { return window != nil && layer >= value(f.MaxWindowLayers) }
	return c, errors.Join(f.windows(&c, window, late), f.rotary(&c))
}

// qwen3 is what Qwen3-VL has too.
func (f *common) qwen3(bias bool) (Config, error) {
	c, err := f.base(false)
	c.QKVBias, c.OutBias, c.QKNorm = bias, bias, true
	return c, err
}
