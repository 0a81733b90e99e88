package decoder

import "errors"

// llama are the fields of Llama (Touvron et al., 2023), the language model of
// LLaVA-1.5, Idefics3 and SmolVLM.
type llama struct {
	common
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`

	// Of the code that Idefics3 and SmolVLM were trained by; transformers reads neither.

	PixelShuffle any `json:"pixel_shuffle_factor"`
	Perceiver    any `json:"perceiver_config"`
}

func newLlama() family {
	return &llama{common: common{
		Layers: 32, Hidden: 4096, Intermediate: 11008, Heads: 32, Vocabulary: 32000,
		Epsilon: 1e-6, Activation: "silu", Theta: new(1e4),
	}}
}

func (f *llama) config() (Config, error) {
	c, err := f.base(false)
	if err != nil {
		return c, err
	}
	c.QKVBias, c.OutBias, c.MLPBias = f.AttentionBias, f.AttentionBias, f.MLPBias
	none := func(int) bool { return false }
	return c, errors.Join(f.windowsByRule(&c, nil, none), f.rotary(&c))
}
