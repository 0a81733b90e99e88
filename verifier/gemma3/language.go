package gemma3

import (
	"errors"
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TextConfig sizes the language model.
type TextConfig struct {
	ModelType    string   `json:"model_type"`
	Vocabulary   int      `json:"vocab_size"`
	Hidden       int      `json:"hidden_size"`
	Intermediate int      `json:"intermediate_size"`
	Layers       int      `json:"num_hidden_layers"`
	Heads        int      `json:"num_attention_heads"`
	KVHeads      int      `json:"num_key_value_heads"`
	HeadDim      int      `json:"head_dim"`
	Activation   string   `json:"hidden_activation"`
	Epsilon      float64  `json:"rms_norm_eps"`
	QueryScalar  float64  `json:"query_pre_attn_scalar"` // scores are divided by its root
	Window       *int     `json:"sliding_window"`        // of local layers: a token sees itself and Window-1 before it
	LayerTypes   []string `json:"layer_types"`           // empty: the last of every Pattern layers is global
	Pattern      *int     `json:"sliding_window_pattern"`
	OldPattern   *int     `json:"_sliding_window_pattern"`
	Theta        float64  `json:"rope_theta"` // of global layers
	LocalTheta   float64  `json:"rope_local_base_freq"`
	Scaling      *rope    `json:"rope_scaling"` // of global layers
	Rotary       *struct {
		Global *rope `json:"full_attention"`
		Local  *rope `json:"sliding_attention"`
	} `json:"rope_parameters"` // version 5's place for the three above
	Tied          *bool    `json:"tie_word_embeddings"`
	Bias          bool     `json:"attention_bias"`
	SoftCap       *float64 `json:"attn_logit_softcapping"`
	FinalSoftCap  *float64 `json:"final_logit_softcapping"`
	Bidirectional *bool    `json:"use_bidirectional_attention"`
	unused
}

// rope says by how much rotary embeddings turn.
type rope struct {
	Type    string   `json:"rope_type"`
	OldType string   `json:"type"`
	Factor  *float64 `json:"factor"` // positions are divided by it where the type is linear
	Theta   *float64 `json:"rope_theta"`
}

// defaultPattern is how many layers there are to a global one.
const defaultPattern = 6

const (
	localLayer  = "sliding_attention"
	globalLayer = "full_attention"
)

// pattern is how many layers there are to a global one.
func (c TextConfig) pattern() int {
	for _, p := range []*int{c.Pattern, c.OldPattern} {
		if p != nil {
			return *p
		}
	}
	return defaultPattern
}

// windows is the window of each layer, 0 for a global one.
func (c TextConfig) windows() []int {
	windows := make([]int, c.Layers)
	for i := range windows {
		local := (i+1)%c.pattern() != 0
		if len(c.LayerTypes) > 0 {
			local = c.LayerTypes[i] == localLayer
		}
		if local {
			windows[i] = *c.Window
		}
	}
	return windows
}

// rotary is the base and the divisor of positions of global and of local layers.
func (c TextConfig) rotary() (global, local turn) {
	global, local = turn{c.Theta, 1}, turn{c.LocalTheta, 1}
	global = global.with(c.Scaling)
	if c.Rotary != nil {
		global, local = global.with(c.Rotary.Global), local.with(c.Rotary.Local)
	}
	return global, local
}

// turn is a rotary embedding: positions over factor, frequencies to the base theta.
type turn struct{ theta, factor float64 }

// with is t with what r says, if anything.
func (t turn) with(r *rope) turn {
	if r != nil && r.Theta != nil {
		t.theta = *r.Theta
	}
	if r != nil && r.Factor != nil && r.kind() == "linear" {
		t.factor = *r.Factor
	}
	return t
}

// kind is the type under the newer name or the older.
func (r rope) kind() string {
	for _, kind := range []string{r.Type, r.OldType} {
		if kind != "" {
			return kind
		}
	}
	return "default"
}

func (c TextConfig) check() error {
	err := errors.Join(
		weights.Require("model_type", c.ModelType, "gemma3_text"),
		weights.Require("hidden_activation", c.Activation, "gelu_pytorch_tanh"),
		weights.Require("attention_bias", c.Bias, false),
		weights.Require("attn_logit_softcapping given", c.SoftCap != nil, false),
		weights.Require("final_logit_softcapping given", c.FinalSoftCap != nil, false),
		weights.Require("use_bidirectional_attention", c.Bidirectional != nil && *c.Bidirectional, false),
		weights.Require("sliding_window given", c.Window != nil, true),
		weights.CheckSizes(
			weights.Size{Name: "vocab_size", Value: c.Vocabulary, Limit: 1 << 24},
			weights.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			weights.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			weights.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			weights.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			weights.Size{Name: "num_key_value_heads", Value: c.KVHeads, Limit: 1 << 10},
			weights.Size{Name: "head_dim", Value: c.HeadDim, Limit: 1 << 12},
		),
	)
	if err != nil {
		return err
	}
	return errors.Join(
		weights.CheckSizes(
			weights.Size{Name: "sliding_window", Value: *c.Window, Limit: 1 << 30},
			weights.Size{Name: "sliding_window_pattern", Value: c.pattern(), Limit: 1 << 10},
		),
		weights.Require("num_attention_heads is a multiple of num_key_value_heads", c.Heads%c.KVHeads == 0, true),
		weights.Require("head_dim is even", c.HeadDim%2 == 0, true),
		between("rms_norm_eps", c.Epsilon, 0, 1),
		between("query_pre_attn_scalar", c.QueryScalar, 0, 1<<20),
		c.checkLayerTypes(),
		c.checkRotary(),
	)
}

func (c TextConfig) checkLayerTypes() error {
	if len(c.LayerTypes) == 0 {
		return nil
	}
	err := weights.Require("length of layer_types", len(c.LayerTypes), c.Layers)
	for i, kind := range c.LayerTypes {
		err = errors.Join(err, weights.Require(fmt.Sprintf("layer_types[%d]", i), kind, localLayer, globalLayer))
	}
	return err
}

func (c TextConfig) checkRotary() error {
	given := map[string]*rope{"rope_scaling": c.Scaling}
	if c.Rotary != nil {
		given["rope_parameters.full_attention"], given["rope_parameters.sliding_attention"] = c.Rotary.Global, c.Rotary.Local
	}
	for name, r := range given {
		if r == nil {
			continue
		}
		if err := weights.Require(name+".rope_type", r.kind(), "default", "linear"); err != nil {
			return err
		}
		if err := weights.Require(name+".factor given", r.Factor != nil, r.kind() == "linear"); err != nil {
			return err
		}
	}
	global, local := c.rotary()
	return errors.Join(
		between("rope_theta", global.theta, 1, 1e12), between("rope_scaling.factor", global.factor, 0, 1e6),
		between("rope_local_base_freq", local.theta, 1, 1e12), between("rope_parameters.sliding_attention.factor", local.factor, 0, 1e6),
	)
}
