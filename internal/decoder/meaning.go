package decoder

import (
	"errors"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// config says what the fields mean.
func (f *fields) config() (Config, error) {
	gemma := f.kind == gemma2 || f.kind == gemma3
	c := Config{
		Layers: f.Layers, Hidden: f.Hidden, Intermediate: f.Intermediate, Heads: f.Heads, KVHeads: f.Heads,
		Vocabulary: f.Vocabulary, Epsilon: f.Epsilon, Activation: f.Activation, TiedHead: *f.Tied,
		QKVBias: f.AttentionBias || f.kind == qwen2, OutBias: f.AttentionBias, MLPBias: f.MLPBias,
		UnitOffset: gemma, PostNorms: gemma, QKNorm: f.kind == gemma3, EmbedScale: 1,
		AttentionCap: value(f.AttentionCap), LogitCap: value(f.LogitCap),
	}
	if f.KVHeads != nil {
		c.KVHeads = *f.KVHeads
	}
	if f.HiddenActivation != nil {
		c.Activation = *f.HiddenActivation
	}
	if err := f.heads(&c); err != nil {
		return c, err
	}
	c.AttentionScale = 1 / math.Sqrt(float64(c.HeadDim))
	if gemma {
		c.EmbedScale = math.Sqrt(float64(f.Hidden))
		c.AttentionScale = 1 / math.Sqrt(value(f.QueryScalar))
	}
	for _, step := range []func(*Config) error{f.check, f.windows, f.rotary} {
		if err := step(&c); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

// value is what a pointer points to, 0 for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// check refuses what no model here does.
func (f *fields) check(*Config) error {
	return errors.Join(
		hf.Require("use_bidirectional_attention", value(f.Bidirectional), false),
		hf.Require("partial_rotary_factor given", f.PartialRotary != nil && *f.PartialRotary != 1, false),
	)
}

// heads finds the width of a head.
func (f *fields) heads(c *Config) error {
	if f.Heads < 1 || f.Layers < 1 || f.Layers > 1<<10 { // before anything is divided or made
		return bad("num_attention_heads is %d, num_hidden_layers %d", f.Heads, f.Layers)
	}
	c.HeadDim = f.Hidden / f.Heads
	given := f.HeadDim != nil
	if !given && f.Hidden%f.Heads != 0 {
		return bad("hidden_size %d is no multiple of num_attention_heads %d", f.Hidden, f.Heads)
	}
	if given && f.kind == qwen2 && *f.HeadDim != c.HeadDim {
		return bad("head_dim is %d, which qwen2_5_vl does not have; hidden_size/num_attention_heads is %d", *f.HeadDim, c.HeadDim)
	}
	if given {
		c.HeadDim = *f.HeadDim
	}
	return nil
}

// windows finds which layers see how far.
func (f *fields) windows(c *Config) error {
	slides, err := f.slides()
	if err != nil {
		return err
	}
	c.Windows = make([]int, f.Layers)
	for i := range c.Windows {
		if !slides[i] {
			continue
		}
		if f.SlidingWindow == nil || *f.SlidingWindow < 1 {
			return bad("sliding_window is %d, but layer %d has one", value(f.SlidingWindow), i)
		}
		c.Windows[i] = *f.SlidingWindow
	}
	return nil
}

// slides says for each layer whether it has a window: as layer_types say, or else
// by the rule of the kind.
func (f *fields) slides() ([]bool, error) {
	pattern, err := f.pattern()
	if err != nil {
		return nil, err
	}
	slides := make([]bool, f.Layers)
	for i := range slides {
		switch f.kind {
		case mistral:
			slides[i] = f.SlidingWindow != nil
		case qwen2:
			slides[i] = value(f.UseSlidingWindow) && f.SlidingWindow != nil && i >= value(f.MaxWindowLayers)
		case gemma2:
			slides[i] = i%2 == 0
		case gemma3:
			slides[i] = (i+1)%pattern != 0
		}
	}
	if f.LayerTypes == nil {
		return slides, nil
	}
	if len(f.LayerTypes) != f.Layers {
		return nil, bad("layer_types are %d, num_hidden_layers is %d", len(f.LayerTypes), f.Layers)
	}
	for i, kind := range f.LayerTypes {
		if err := hf.Require("layer_types", kind, "full_attention", "sliding_attention"); err != nil {
			return nil, err
		}
		sliding := kind == "sliding_attention"
		if sliding != slides[i] && (f.kind == llama || f.kind == mistral) {
			return nil, bad("layer_types has %s for layer %d, which transformers ignores in %s", kind, i, f.kind)
		}
		slides[i] = sliding
	}
	return slides, nil
}

// pattern is Gemma 3's number of layers from one without a window to the next.
func (f *fields) pattern() (int, error) {
	const standard = 6
	for _, p := range []*int{f.Pattern, f.SavedPattern} {
		if p == nil {
			continue
		}
		if *p < 1 {
			return 0, bad("sliding_window_pattern is %d", *p)
		}
		return *p, nil
	}
	return standard, nil
}
