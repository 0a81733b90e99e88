package decoder

import (
	"errors"
	"math"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// gemma2 are the fields of Gemma 2 (Gemma Team, 2024), which encodes Sana's
// prompts.
type gemma2 struct {
	common
	HiddenActivation *string  `json:"hidden_activation"` // goes before hidden_act
	AttentionBias    bool     `json:"attention_bias"`
	QueryScalar      *float64 `json:"query_pre_attn_scalar"` // whose root divides the scores
	AttentionCap     *float64 `json:"attn_logit_softcapping"`
	LogitCap         *float64 `json:"final_logit_softcapping"`
	Bidirectional    bool     `json:"use_bidirectional_attention"`
	SlidingWindow    *int     `json:"sliding_window"`
}

func newGemma2() family {
	return &gemma2{
		common: common{
			Layers: 26, Hidden: 2304, Intermediate: 9216, Heads: 8, KVHeads: new(4), HeadDim: new(256), Vocabulary: 256000,
			Epsilon: 1e-6, Theta: new(1e4),
		},
		HiddenActivation: new("gelu_pytorch_tanh"), QueryScalar: new(256.), AttentionCap: new(50.), LogitCap: new(30.),
		SlidingWindow: new(4096),
	}
}

func (f *gemma2) config() (Config, error) {
	c, err := f.gemma()
	if err != nil {
		return c, err
	}
	even := func(layer int) bool { return layer%2 == 0 }
	return c, errors.Join(f.windows(&c, f.SlidingWindow, even), f.rotary(&c))
}

// gemma is what Gemma 3 has too.
func (f *gemma2) gemma() (Config, error) {
	c, err := f.base(true)
	if err != nil {
		return c, err
	}
	if f.HiddenActivation != nil {
		c.Activation = *f.HiddenActivation
	}
	c.QKVBias, c.OutBias = f.AttentionBias, f.AttentionBias
	c.UnitOffset, c.PostNorms = true, true
	c.EmbedScale = math.Sqrt(float64(f.Hidden))
	c.AttentionScale = 1 / math.Sqrt(value(f.QueryScalar))
	c.AttentionCap, c.LogitCap = value(f.AttentionCap), value(f.LogitCap)
	return c, hf.Require("use_bidirectional_attention", f.Bidirectional, false)
}
