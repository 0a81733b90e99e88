package decoder

import (
	"encoding/json"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// common are the fields that all families have. A pointer is nil where the file
// says null, or nothing and transformers fills nothing in.
type common struct {
	Layers       int     `json:"num_hidden_layers"`
	Hidden       int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Heads        int     `json:"num_attention_heads"`
	KVHeads      *int    `json:"num_key_value_heads"` // nil = Heads
	HeadDim      *int    `json:"head_dim"`            // nil = Hidden/Heads
	Vocabulary   int     `json:"vocab_size"`
	Epsilon      float64 `json:"rms_norm_eps"`
	Activation   string  `json:"hidden_act"`
	Tied         *bool   `json:"tie_word_embeddings"`

	LayerTypes []string `json:"layer_types"` // which layers have a window; nil = the family's rule

	Theta          *float64        `json:"rope_theta"`
	RopeScaling    json.RawMessage `json:"rope_scaling"`
	RopeParameters json.RawMessage `json:"rope_parameters"`
	PartialRotary  *float64        `json:"partial_rotary_factor"`

	MaxPositions        any `json:"max_position_embeddings"` // nothing that we support depends on it
	Parallel            any `json:"pretraining_tp"`          // how the training split matrices
	CacheImplementation any `json:"cache_implementation"`
	hf.Pretrained

	outer outer
}

// outer is what the object that holds text_config says about the language model.
type outer struct {
	ModelType string `json:"model_type"`
	Tied      *bool  `json:"tie_word_embeddings"`
}

func (f *common) shared() *common { return f }

// base says what the common fields mean. tied says whether the head is the
// embedding's matrix where the file does not say it.
func (f *common) base(tied bool) (c Config, err error) {
	if f.Heads < 1 || f.Layers < 1 || f.Layers > 1<<10 { // before anything is divided or made
		return c, hf.Errorf("num_attention_heads is %d, num_hidden_layers %d", f.Heads, f.Layers)
	}
	c = Config{
		Layers: f.Layers, Hidden: f.Hidden, Intermediate: f.Intermediate, Heads: f.Heads, KVHeads: f.Heads, HeadDim: f.Hidden / f.Heads,
		Vocabulary: f.Vocabulary, Epsilon: f.Epsilon, Activation: f.Activation, EmbedScale: 1,
	}
	if f.KVHeads != nil {
		c.KVHeads = *f.KVHeads
	}
	switch {
	case f.HeadDim != nil:
		c.HeadDim = *f.HeadDim
	case f.Hidden%f.Heads != 0:
		return c, hf.Errorf("hidden_size %d is no multiple of num_attention_heads %d", f.Hidden, f.Heads)
	}
	if f.PartialRotary != nil && *f.PartialRotary != 1 {
		return c, hf.Errorf("partial_rotary_factor is %v, supported: 1", *f.PartialRotary)
	}
	c.AttentionScale = 1 / math.Sqrt(float64(c.HeadDim))
	c.TiedHead, err = f.tied(tied)
	return c, err
}

// tied decides whether the head is tied. Versions of transformers differ in which
// of two fields they follow where there is an object around text_config.
func (f *common) tied(standard bool) (bool, error) {
	own, outer := f.Tied, f.outer.Tied
	switch {
	case f.outer.ModelType == "idefics2" || f.outer.ModelType == "smolvlm" || f.outer.ModelType == "idefics3":
		return value(outer), nil
	case f.outer.ModelType == "mistral3":
		return outer == nil || *outer, nil
	case own == nil && outer == nil:
		return standard, nil
	case own == nil:
		return *outer, nil
	case !*own && outer != nil:
		return false, hf.Equal("tie_word_embeddings", *outer, "that of text_config", false)
	}
	return *own, nil
}

// tiedAlike is for families of which either of the two fields counts in some version of
// transformers, whatever it says.
func (f *common) tiedAlike() error {
	if f.Tied == nil {
		return nil
	}
	return hf.EqualIfGiven("tie_word_embeddings", f.outer.Tied, "that of text_config", *f.Tied)
}

// value is what a pointer points to, 0 for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// windows gives a window to the layers that slide: those that layer_types name, or
// else those that the family's rule does.
func (f *common) windows(c *Config, window *int, rule func(layer int) bool) error {
	slides, err := f.slides(rule)
	if err != nil {
		return err
	}
	c.Windows = make([]int, f.Layers)
	for i := range c.Windows {
		if !slides[i] {
			continue
		}
		if value(window) < 1 {
			return hf.Errorf("sliding_window is %d, but layer %d has one", value(window), i)
		}
		c.Windows[i] = *window
	}
	return nil
}

// slides says for each layer whether it has a window.
func (f *common) slides(rule func(layer int) bool) ([]bool, error) {
	slides := make([]bool, f.Layers)
	for i := range slides {
		slides[i] = rule(i)
	}
	if f.LayerTypes == nil {
		return slides, nil
	}
	if len(f.LayerTypes) != f.Layers {
		return nil, hf.Errorf("layer_types are %d, num_hidden_layers is %d", len(f.LayerTypes), f.Layers)
	}
	for i, kind := range f.LayerTypes {
		if err := hf.Require("layer_types", kind, fullAttention, slidingAttention); err != nil {
			return nil, err
		}
		slides[i] = kind == slidingAttention
	}
	return slides, nil
}

// The types of layers, which see all tokens or have a window.
const fullAttention, slidingAttention = "full_attention", "sliding_attention"

// windowsByRule is windows for families whose layer_types transformers ignores, so
// that they may say nothing but the rule.
func (f *common) windowsByRule(c *Config, window *int, rule func(layer int) bool) error {
	slides, err := f.slides(rule)
	if err != nil {
		return err
	}
	for i, s := range slides {
		if s != rule(i) {
			return hf.Errorf("layer_types has %s for layer %d, which transformers ignores", f.LayerTypes[i], i)
		}
	}
	return f.windows(c, window, rule)
}
