package decoder

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// ministral3B is the text model of Ministral 3 3B.
const ministral3B = `{"model_type": "mistral3", "tie_word_embeddings": true, "vision_config": {}, "text_config": {
	"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02,
	"intermediate_size": 9216, "max_position_embeddings": 262144, "model_type": "ministral3", "num_attention_heads": 32,
	"num_hidden_layers": 26, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_parameters": {"beta_fast": 32.0,
		"beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0,
		"original_max_position_embeddings": 16384, "rope_theta": 1000000.0, "rope_type": "yarn", "type": "yarn"},
	"sliding_window": null, "tie_word_embeddings": true, "use_cache": true, "vocab_size": 131072}}`

func TestParseMinistral(t *testing.T) {
	c := parsed(t, ministral3B)
	assert.Equal(t, []int{26, 3072, 9216, 32, 8, 128, 131072}, []int{c.Layers, c.Hidden, c.Intermediate, c.Heads, c.KVHeads, c.HeadDim, c.Vocabulary})
	assert.Equal(t, YaRN{Factor: 16, Original: 16384, Fast: 32, Slow: 1, Attention: 1}, *c.YaRN)
	assert.Equal(t, []any{0.1, 16384, true, Rotary{1e6, 1}}, []any{c.QueryGrowth, c.QueryStep, c.TiedHead, c.Rotary[25]})

	// Of two fields the one around text_config counts; without it the head is tied.
	for tied, changes := range map[bool]object{
		false: {".tie_word_embeddings": false},
		true:  {".tie_word_embeddings": nil, "tie_word_embeddings": false},
	} {
		assert.Equal(t, tied, parsed(t, string(with(t, ministral3B, changes))).TiedHead, changes)
	}
	assert.Equal(t, c, parsed(t, string(with(t, ministral3B, object{"rope_parameters": nil}))), "what transformers fills in")

	rope := func(changes object) object {
		return object{"rope_parameters": plus(object{
			"factor": 4, "llama_4_scaling_beta": 0.2, "original_max_position_embeddings": 64, "rope_theta": 1e4, "rope_type": "yarn",
		}, changes)}
	}
	for attention, changes := range map[float64]object{
		1 + 0.1*math.Log(4):                            {"mscale": 1, "mscale_all_dim": nil},
		(1 + 0.2*math.Log(4)) / (1 + 0.05*math.Log(4)): {"mscale": 2, "mscale_all_dim": 0.5},
		1.5: {"attention_factor": 1.5, "mscale": 2, "mscale_all_dim": 0.5},
	} {
		c := parsed(t, string(with(t, ministral3B, rope(changes))))
		assert.InEpsilon(t, attention, c.YaRN.Attention, 1e-12, changes)
		assert.Equal(t, []float64{32, 1}, []float64{c.YaRN.Fast, c.YaRN.Slow})
	}
	plain := parsed(t, string(with(t, ministral3B, rope(object{"rope_type": "default", "factor": nil}))))
	assert.Nil(t, plain.YaRN)
	assert.Equal(t, 64, plain.QueryStep)
	for want, changes := range map[string]object{
		"llama_4_scaling_beta is missing":             {"llama_4_scaling_beta": nil},
		"llama_4_scaling_beta is -1":                  {"llama_4_scaling_beta": -1},
		"original_max_position_embeddings is missing": {"original_max_position_embeddings": nil},
		"original_max_position_embeddings is 0":       {"original_max_position_embeddings": 0, "llama_4_scaling_beta": 0},
		"factor is missing":                           {"factor": nil},
		"factor is -2":                                {"factor": -2},
		"beta_fast is -1":                             {"beta_fast": -1},
		"attention_factor":                            {"attention_factor": 0},
		"truncate is false":                           {"truncate": false},
		"rope_theta is 1 in yarn":                     {"rope_theta": 1},
		"rope_type is longrope":                       {"rope_type": "longrope"},
		`"tail"`:                                      {"tail": 1},
	} {
		_, err := ParseConfig(with(t, ministral3B, rope(changes)), outside...)
		require.ErrorIs(t, err, hf.ErrConfig, changes)
		assert.ErrorContains(t, err, want)
	}
}
