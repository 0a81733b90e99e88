package decoder

import (
	"cmp"
	"errors"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Config says what a language model computes. ParseConfig fills it.
type Config struct {
	Layers, Hidden, Intermediate int
	Heads, KVHeads, HeadDim      int // KVHeads divides Heads; HeadDim is even
	Vocabulary                   int
	Epsilon                      float64 // of all norms

	QKVBias, OutBias, MLPBias bool
	Activation                string // of the feed-forward gate: "silu", "gelu" or "gelu_pytorch_tanh"
	TiedHead                  bool   // the head's matrix is the embedding's

	UnitOffset bool // the norms' gains are 1 plus the parameter
	PostNorms  bool // attention and feed-forward are normed before and after
	QKNorm     bool // queries and keys are normed per head
	OutputGate bool // the attention's output is gated by the layer's input

	Recurrent []bool // which layers have a gated delta network in place of attention; nil for none
	Delta     Delta  // of those

	EmbedScale     float64 // of the tokens' embeddings, not of the caller's vectors; 1 for none
	AttentionScale float64 // of the scores
	AttentionCap   float64 // soft cap of the scores, 0 for none
	LogitCap       float64 // soft cap of the logits, 0 for none

	Windows   []int    // per layer: how many tokens a token attends to, itself included; 0 for all
	Rotary    []Rotary // per layer
	RotaryDim int      // how many numbers of a head, the first, are rotated; 0 for all
	Sections  []int    // m-rope: how many of the frequencies, of which there are half of what is rotated, each axis of positions has; nil for one axis

	// Interleaved gives the axes turns in m-rope, frequency by frequency: 0, 1, 2, 0, 1,
	// 2 and so on, until an axis has all of its section; axis 0 gets what is left.
	// Otherwise they have their sections one after the other.
	Interleaved bool

	YaRN *YaRN // stretches the rotary embedding of all layers; nil for none

	// Queries are multiplied by 1 + QueryGrowth·ln(1 + ⌊place/QueryStep⌋), by their place
	// in the sequence. 0 for none.
	QueryGrowth float64
	QueryStep   int
}

// Rotary are the frequencies of a layer's rotary embedding: number k of HeadDim/2
// is Theta^(-2k/HeadDim)/Factor.
type Rotary struct {
	Theta  float64
	Factor float64 // of linear scaling, 1 for none
}

// check returns an error that wraps hf.ErrConfig and names the first field,
// as transformers calls it, that makes no sense.
func (c Config) check() error {
	err := errors.Join(
		hf.CheckSizes(
			hf.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "num_key_value_heads", Value: c.KVHeads, Limit: 1 << 10},
			hf.Size{Name: "head_dim", Value: c.HeadDim, Limit: 1 << 12},
			hf.Size{Name: "vocab_size", Value: c.Vocabulary, Limit: 1 << 24},
		),
		hf.Require("hidden_act", c.Activation, "silu", "gelu", "gelu_pytorch_tanh"),
	)
	switch {
	case err != nil:
		return err
	case c.Heads%c.KVHeads != 0:
		return hf.Errorf("num_attention_heads %d is no multiple of num_key_value_heads %d", c.Heads, c.KVHeads)
	case c.HeadDim%2 != 0:
		return hf.Errorf("head_dim is %d, want an even number", c.HeadDim)
	case c.rotated()%2 != 0 || c.rotated() < 2 || c.rotated() > c.HeadDim:
		return hf.Errorf("partial_rotary_factor gives %d numbers of %d, want an even number", c.RotaryDim, c.HeadDim)
	case !(c.Epsilon > 0 && c.Epsilon < 1):
		return hf.Errorf("rms_norm_eps is %v", c.Epsilon)
	case !(c.AttentionScale > 0 && c.AttentionScale <= 1e3):
		return hf.Errorf("query_pre_attn_scalar gives an attention scale of %v", c.AttentionScale)
	case !(c.AttentionCap >= 0 && c.AttentionCap <= 1e9):
		return hf.Errorf("attn_logit_softcapping is %v", c.AttentionCap)
	case !(c.LogitCap >= 0 && c.LogitCap <= 1e9):
		return hf.Errorf("final_logit_softcapping is %v", c.LogitCap)
	case c.QueryGrowth != 0 && !(c.QueryGrowth > 0 && c.QueryGrowth <= 1e3 && c.QueryStep > 0 && c.QueryStep <= 1<<30):
		return hf.Errorf("llama_4_scaling_beta is %v, for every %d tokens", c.QueryGrowth, c.QueryStep)
	case len(c.Windows) != c.Layers || len(c.Rotary) != c.Layers:
		return hf.Errorf("layer_types are %d and rotary embeddings %d, num_hidden_layers is %d", len(c.Windows), len(c.Rotary), c.Layers)
	}
	return errors.Join(c.checkDelta(), c.checkPositions())
}

// checkDelta checks the layers without attention, of which a model has to have others.
func (c Config) checkDelta() error {
	if c.Recurrent == nil {
		return nil
	}
	d := c.Delta
	err := hf.CheckSizes(
		hf.Size{Name: "linear_num_key_heads", Value: d.KeyHeads, Limit: 1 << 10},
		hf.Size{Name: "linear_num_value_heads", Value: d.ValueHeads, Limit: 1 << 10},
		hf.Size{Name: "linear_key_head_dim", Value: d.KeyDim, Limit: 1 << 12},
		hf.Size{Name: "linear_value_head_dim", Value: d.ValueDim, Limit: 1 << 12},
		hf.Size{Name: "linear_conv_kernel_dim", Value: d.Kernel, Limit: 1 << 6},
	)
	switch {
	case err != nil:
		return err
	case d.Kernel < 2:
		return hf.Errorf("linear_conv_kernel_dim is %d, want at least 2", d.Kernel)
	case d.ValueHeads%d.KeyHeads != 0:
		return hf.Errorf("linear_num_value_heads %d is no multiple of linear_num_key_heads %d", d.ValueHeads, d.KeyHeads)
	case len(c.Recurrent) != c.Layers || !slices.Contains(c.Recurrent, false):
		return hf.Errorf("layer_types has no %s", fullAttention)
	}
	return nil
}

// rotated is how many numbers of a head are rotated.
func (c Config) rotated() int { return cmp.Or(c.RotaryDim, c.HeadDim) }

// recurrent says whether a layer has a gated delta network.
func (c Config) recurrent(layer int) bool { return c.Recurrent != nil && c.Recurrent[layer] }

// checkPositions checks the rotary embeddings and the windows.
func (c Config) checkPositions() error {
	for i, r := range c.Rotary {
		if !(r.Theta > 0 && r.Theta <= 1e15) {
			return hf.Errorf("rope_theta is %v", r.Theta)
		}
		if !(r.Factor > 0 && r.Factor <= 1e9) {
			return hf.Errorf("the rotary embedding's factor is %v", r.Factor)
		}
		if c.Windows[i] < 0 || c.Windows[i] > 1<<30 {
			return hf.Errorf("sliding_window is %d", c.Windows[i])
		}
	}
	if c.YaRN != nil {
		if err := c.YaRN.check(c.Rotary[0].Theta); err != nil {
			return err
		}
	}
	if c.Sections == nil {
		return nil
	}
	sum := 0
	for _, n := range c.Sections {
		if n < 1 || n > c.HeadDim {
			return hf.Errorf("mrope_section is %v", c.Sections)
		}
		sum += n
	}
	if len(c.Sections) != 3 || sum != c.rotated()/2 {
		return hf.Errorf("mrope_section is %v, want three numbers whose sum is %d, half of head_dim", c.Sections, c.rotated()/2)
	}
	return nil
}
