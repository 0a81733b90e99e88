package decoder

import (
	"errors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// qwen35 are the fields of Qwen3.5's language model (Alibaba, 2026): most layers have a
// gated delta network, every fourth has attention, whose outputs are gated.
type qwen35 struct {
	common
	AttentionBias bool     `json:"attention_bias"`
	OutputGate    bool     `json:"attn_output_gate"`
	Interval      *int     `json:"full_attention_interval"` // from a layer with attention to the next
	Partial       *float64 `json:"partial_rotary_factor"`   // in place of common's

	KeyHeads   int `json:"linear_num_key_heads"`
	ValueHeads int `json:"linear_num_value_heads"`
	KeyDim     int `json:"linear_key_head_dim"`
	ValueDim   int `json:"linear_value_head_dim"`
	Kernel     int `json:"linear_conv_kernel_dim"`

	MLPLayers    []int `json:"mlp_only_layers"`              // of mixtures of experts
	Predicted    any   `json:"mtp_num_hidden_layers"`        // of a part that predicts several tokens
	PredictedOwn any   `json:"mtp_use_dedicated_embeddings"` // the same
	StateDType   any   `json:"mamba_ssm_dtype"`              // float32 in any case
}

// linearAttention is what transformers calls the layers with a gated delta network.
const linearAttention = "linear_attention"

func newQwen35() family {
	return &qwen35{
		common: common{
			Layers: 32, Hidden: 4096, Intermediate: 12288, Heads: 16, KVHeads: new(4), HeadDim: new(256), Vocabulary: 248320,
			Epsilon: 1e-6, Activation: "silu", Theta: new(1e4),
		},
		OutputGate: true, Interval: new(4), Partial: new(0.25), KeyHeads: 16, ValueHeads: 32, KeyDim: 128, ValueDim: 128, Kernel: 4,
	}
}

func (f *qwen35) config() (Config, error) {
	c, err := f.qwen3(f.AttentionBias)
	if err != nil {
		return c, err
	}
	c.UnitOffset, c.OutputGate = true, true
	c.Delta = Delta{KeyHeads: f.KeyHeads, ValueHeads: f.ValueHeads, KeyDim: f.KeyDim, ValueDim: f.ValueDim, Kernel: f.Kernel}
	c.Windows = make([]int, f.Layers)
	return c, errors.Join(
		hf.Require("attn_output_gate", f.OutputGate, true),
		hf.Check(len(f.MLPLayers) == 0, "mlp_only_layers is %v, which is not supported", f.MLPLayers),
		f.tiedAlike(), f.recurrent(&c), f.mrope(&c),
	)
}

// recurrent says which layers have a gated delta network.
func (f *qwen35) recurrent(c *Config) error {
	interval := value(f.Interval)
	if f.LayerTypes == nil && interval < 1 {
		return hf.Errorf("full_attention_interval is %d", interval)
	}
	if f.LayerTypes != nil && len(f.LayerTypes) != f.Layers {
		return hf.Errorf("layer_types are %d, num_hidden_layers is %d", len(f.LayerTypes), f.Layers)
	}
	for i := range f.Layers {
		if f.LayerTypes == nil {
			c.Recurrent = append(c.Recurrent, (i+1)%interval != 0)
			continue
		}
		if err := hf.Require("layer_types", f.LayerTypes[i], fullAttention, linearAttention); err != nil {
			return err
		}
		c.Recurrent = append(c.Recurrent, f.LayerTypes[i] == linearAttention)
	}
	return nil
}

// mrope reads the rotary embedding of three interleaved axes, which turns a part of
// each head.
func (f *qwen35) mrope(c *Config) error {
	fields := struct {
		rope
		Sections    []int    `json:"mrope_section"`
		Interleaved *bool    `json:"mrope_interleaved"`
		Partial     *float64 `json:"partial_rotary_factor"` // in place of rope's
	}{Partial: f.Partial}
	err := f.rotaryTo(c, &fields)
	c.Interleaved, c.Sections = true, fields.Sections
	if c.Sections == nil {
		c.Sections = []int{11, 11, 10}
	}
	part := value(fields.Partial)
	if !(part > 0 && part <= 1) {
		return errors.Join(err, hf.Errorf("partial_rotary_factor is %v", part))
	}
	c.RotaryDim = int(float64(c.HeadDim) * part)
	return errors.Join(err, hf.EqualIfGiven("mrope_interleaved", fields.Interleaved, "what the model computes", true))
}
