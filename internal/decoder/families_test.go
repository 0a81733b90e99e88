package decoder

import (
	"encoding/json"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// small returns a configuration of two layers with some fields of its family.
func small(t *testing.T, modelType string, fields object) []byte {
	t.Helper()
	all := object{
		"model_type": modelType, "num_hidden_layers": 2, "hidden_size": 512, "intermediate_size": 64, "vocab_size": 100,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128,
	}
	maps.Copy(all, fields)
	data, err := json.Marshal(all)
	require.NoError(t, err)
	return data
}

// TestFamilies: what each family's own fields mean, and that no other family's are
// taken, unless they are null.
func TestFamilies(t *testing.T) {
	base := Config{
		Layers: 2, Hidden: 512, Intermediate: 64, Vocabulary: 100, Heads: 4, KVHeads: 2, HeadDim: 128, Epsilon: 1e-6,
		Activation: "silu", EmbedScale: 1, AttentionScale: 1 / math.Sqrt(128), Windows: []int{0, 0}, Rotary: []Rotary{{1e4, 1}, {1e4, 1}},
	}
	gemma := base
	gemma.TiedHead, gemma.UnitOffset, gemma.PostNorms, gemma.QKVBias, gemma.OutBias = true, true, true, true, true
	gemma.Activation, gemma.EmbedScale, gemma.AttentionScale = "gelu", math.Sqrt(512), 1./8
	gemmaFields := object{
		"hidden_activation": "gelu", "attention_bias": true, "query_pre_attn_scalar": 64, "use_bidirectional_attention": false,
		"sliding_window": 7, "attn_logit_softcapping": nil, "final_logit_softcapping": nil,
	}
	changed := func(c Config, change func(*Config)) Config {
		change(&c)
		return c
	}
	for modelType, test := range map[string]struct {
		own     object // all fields that not every family has
		want    Config
		foreign []string
	}{
		"llama": {
			object{"attention_bias": true, "mlp_bias": true},
			changed(base, func(c *Config) { c.QKVBias, c.OutBias, c.MLPBias = true, true, true }),
			[]string{"hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping",
				"use_bidirectional_attention", "sliding_window", "use_sliding_window", "max_window_layers",
				"sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq"},
		},
		"mistral": {
			object{"sliding_window": 7},
			changed(base, func(c *Config) { c.Windows = []int{7, 7} }),
			[]string{"attention_bias", "mlp_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping",
				"final_logit_softcapping", "use_bidirectional_attention", "use_sliding_window", "max_window_layers",
				"sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq"},
		},
		"ministral3": {
			object{"sliding_window": 7},
			changed(base, func(c *Config) {
				c.Epsilon, c.Windows, c.Rotary = 1e-5, []int{7, 7}, []Rotary{{1e6, 1}, {1e6, 1}}
				c.YaRN = &YaRN{Factor: 16, Original: 16384, Fast: 32, Slow: 1, Attention: 1}
				c.QueryGrowth, c.QueryStep = 0.1, 16384
			}),
			[]string{"attention_bias", "mlp_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping",
				"final_logit_softcapping", "use_bidirectional_attention", "use_sliding_window", "max_window_layers",
				"sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq"},
		},
		"qwen2_5_vl_text": {
			object{"sliding_window": 7, "use_sliding_window": true, "max_window_layers": 1},
			changed(base, func(c *Config) {
				c.Epsilon, c.QKVBias, c.Windows, c.Sections = 1e-5, true, []int{0, 7}, []int{16, 24, 24}
				c.Rotary = []Rotary{{1e6, 1}, {1e6, 1}}
			}),
			[]string{"attention_bias", "mlp_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping",
				"final_logit_softcapping", "use_bidirectional_attention", "sliding_window_pattern", "_sliding_window_pattern",
				"rope_local_base_freq"},
		},
		"qwen3": {
			object{"attention_bias": true, "sliding_window": 7, "use_sliding_window": true, "max_window_layers": 1},
			changed(base, func(c *Config) { c.QKVBias, c.OutBias, c.QKNorm, c.Windows = true, true, true, []int{0, 7} }),
			[]string{"mlp_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping",
				"use_bidirectional_attention", "sliding_window_pattern", "_sliding_window_pattern", "rope_local_base_freq"},
		},
		"qwen3_vl_text": {
			object{"attention_bias": true},
			changed(base, func(c *Config) {
				c.QKVBias, c.OutBias, c.QKNorm, c.Sections, c.Interleaved = true, true, true, []int{24, 20, 20}, true
				c.Rotary = []Rotary{{5e6, 1}, {5e6, 1}}
			}),
			[]string{"mlp_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping",
				"use_bidirectional_attention", "sliding_window", "use_sliding_window", "max_window_layers", "sliding_window_pattern",
				"_sliding_window_pattern", "rope_local_base_freq"},
		},
		"qwen3_5_text": {
			object{"attention_bias": true, "full_attention_interval": 2, "linear_num_key_heads": 2, "linear_num_value_heads": 6,
				"linear_key_head_dim": 7, "linear_value_head_dim": 9, "linear_conv_kernel_dim": 3, "attn_output_gate": true,
				"rope_parameters": object{"rope_theta": 1e7, "partial_rotary_factor": 0.5, "mrope_section": []int{12, 10, 10}}},
			changed(base, func(c *Config) {
				c.QKVBias, c.OutBias, c.QKNorm, c.UnitOffset, c.OutputGate = true, true, true, true, true
				c.Sections, c.Interleaved, c.RotaryDim, c.Rotary = []int{12, 10, 10}, true, 64, []Rotary{{1e7, 1}, {1e7, 1}}
				c.Recurrent, c.Delta = []bool{true, false}, Delta{KeyHeads: 2, ValueHeads: 6, KeyDim: 7, ValueDim: 9, Kernel: 3}
			}),
			[]string{"mlp_bias", "hidden_activation", "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping",
				"use_bidirectional_attention", "sliding_window", "use_sliding_window", "max_window_layers", "sliding_window_pattern",
				"_sliding_window_pattern", "rope_local_base_freq"},
		},
		"gemma2": {
			gemmaFields,
			changed(gemma, func(c *Config) { c.Windows = []int{7, 0} }),
			[]string{"mlp_bias", "use_sliding_window", "max_window_layers", "sliding_window_pattern", "_sliding_window_pattern",
				"rope_local_base_freq"},
		},
		"gemma3_text": {
			plus(gemmaFields, object{"sliding_window_pattern": 2, "_sliding_window_pattern": 3, "rope_local_base_freq": 5e3}),
			changed(gemma, func(c *Config) { c.QKNorm, c.Windows, c.Rotary = true, []int{7, 0}, []Rotary{{5e3, 1}, {1e6, 1}} }),
			[]string{"mlp_bias", "use_sliding_window", "max_window_layers"},
		},
	} {
		t.Run(modelType, func(t *testing.T) {
			c, err := ParseConfig(small(t, modelType, test.own))
			require.NoError(t, err)
			assert.Equal(t, test.want, c)
			for _, name := range test.foreign {
				_, err := ParseConfig(small(t, modelType, plus(test.own, object{name: 1})))
				assert.ErrorIs(t, err, hf.ErrConfig)
				assert.ErrorContains(t, err, `unknown field "`+name+`"`)
				_, err = ParseConfig(small(t, modelType, plus(test.own, object{name: nil})))
				assert.NoError(t, err, name)
			}
		})
	}
}

// plus returns the fields of both objects.
func plus(a, b object) object {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// TestStamps: fields that change nothing pass in every family, but for those that
// say that the model is another one.
func TestStamps(t *testing.T) {
	stamps := object{
		"architectures": []string{"X"}, "torch_dtype": "bfloat16", "dtype": "float32", "transformers_version": "5.6.0", "use_cache": true,
		"_name_or_path": "x/y", "pad_token_id": 0, "max_position_embeddings": 4096, "pretraining_tp": 1, "cache_implementation": "hybrid",
		"attention_dropout": 0.1, "partial_rotary_factor": 1, "num_return_sequences": 1, "is_decoder": false, "quantization_config": nil,
	}
	for modelType := range families {
		if modelType == "qwen3_5_text" {
			continue // to which partial_rotary_factor and the layers matter; see TestFamilies
		}
		plain, err := ParseConfig(small(t, modelType, nil))
		require.NoError(t, err)
		stamped, err := ParseConfig(small(t, modelType, stamps))
		require.NoError(t, err, modelType)
		assert.Equal(t, plain, stamped, modelType)
		for name, value := range (object{"quantization_config": object{"bits": 4}, "is_decoder": true, "partial_rotary_factor": 0.5}) {
			_, err := ParseConfig(small(t, modelType, object{name: value}))
			assert.ErrorIs(t, err, hf.ErrConfig, modelType)
			assert.ErrorContains(t, err, name, modelType)
		}
	}
}
