package lora

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestConfigAlpha pins which pattern counts: the first that matches, in the file's
// order, which PEFT sorts when it saves. (So PEFT itself, 0.21, gives a layer another
// scale after loading than before saving where a key is the end of another.)
func TestConfigAlpha(t *testing.T) {
	for text, want := range map[string]float64{
		`{}`:                                                      8,
		`{"r": 4, "lora_alpha": null}`:                            8,
		`{"lora_alpha": 3.5}`:                                     3.5,
		`{"alpha_pattern": {"a.q": 16, "q": 2}}`:                  16,
		`{"alpha_pattern": {"q": 2, "a.q": 16}}`:                  2,
		`{"alpha_pattern": {"z": 1, "[qk]": 3, "q": 2}}`:          3,
		`{"alpha_pattern": {"q": 2, "k": 1, "q": 7}}`:             7,
		`{"alpha_pattern": {"q$": 2, "^a": 3, "^a.q": 4}}`:        2,
		`{"alpha_pattern": null, "rank_pattern": {}}`:             8,
		`{"r": 9, "rank_pattern": {"a.q": 4, "q": 9}}`:            8,
		`{"use_rslora": true, "lora_alpha": 2}`:                   4,
		`{"use_rslora": true, "alpha_pattern": {"q": 3}}`:         6,
		`{"init_lora_weights": "gaussian", "peft_type": "LORA"}`:  8,
		`{"init_lora_weights": false, "bias": "none", "x": null}`: 8,
	} {
		c, err := parseConfig([]byte(text), nil)
		require.NoError(t, err, text)
		alpha, err := c.alpha("a.q", 4)
		require.NoError(t, err, text)
		require.Equal(t, want, alpha, text)
	}
	c, err := parseConfig([]byte(`{"r": 4, "rank_pattern": {"q": 9, "a.q": 4}}`), nil)
	require.NoError(t, err)
	_, err = c.alpha("a.q", 4)
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "rank 4, 9 in its LoraConfig")
}

// TestConfigReal reads all fields that PEFT 0.21.2 writes, with a few of them set.
func TestConfigReal(t *testing.T) {
	_, err := parseConfig([]byte(`{
  "alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null, "auto_mapping": {"base_model_class": "FluxTransformer2DModel"},
  "base_model_name_or_path": "x/y", "bias": "none", "corda_config": null, "ensure_weight_tying": false, "eva_config": null,
  "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, "kasa_config": null,
  "layer_replication": null, "layers_pattern": null, "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 8, "lora_bias": false,
  "lora_dropout": 0.1, "lora_ga_config": null, "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null,
  "monteclora_config": null, "peft_type": "LORA", "peft_version": "0.21.2", "qalora_group_size": 16, "r": 4, "rank_pattern": {},
  "revision": null, "target_modules": ["to_q"], "target_parameters": null, "task_type": null, "trainable_token_indices": null,
  "use_bdlora": null, "use_dora": false, "use_qalora": false, "use_rslora": false, "velora_config": null}`), nil)
	require.NoError(t, err)
}

// TestConfigRefuses has every field that changes what an adapter does, and one that
// nobody knows.
func TestConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{"init_lora_weights": "pissa"}`:          "pissa",
		`{"init_lora_weights": "pissa_niter_16"}`: "pissa_niter_16",
		`{"init_lora_weights": "olora"}`:          "olora",
		`{"init_lora_weights": "corda"}`:          "corda",
		`{"init_lora_weights": "eva"}`:            "eva",
		`{"init_lora_weights": "loftq"}`:          "loftq",
		`{"init_lora_weights": "lora_ga"}`:        "lora_ga",
		`{"peft_type": "LOHA"}`:                   "LOHA",
		`{"bias": "lora_only"}`:                   "lora_only",
		`{"use_dora": true}`:                      "DoRA",
		`{"lora_bias": true}`:                     "lora_bias",
		`{"modules_to_save": ["proj_out"]}`:       "modules_to_save",
		`{"layer_replication": [[0, 4], [2, 5]]}`: "layer_replication",
		`{"trainable_token_indices": [1]}`:        "trainable_token_indices",
		`{"target_parameters": ["a.weight"]}`:     "target_parameters",
		`{"use_qalora": true}`:                    "QA-LoRA",
		`{"alora_invocation_tokens": [1, 2]}`:     "alora_invocation_tokens",
		`{"a_new_field": 1}`:                      "LoadOptions.Ignore",
	} {
		_, err := parseConfig([]byte(text), []string{"another"})
		require.ErrorIs(t, err, ErrFormat, text)
		require.ErrorIs(t, err, errors.ErrUnsupported, text)
		require.ErrorContains(t, err, want)
	}
	_, err := parseConfig([]byte(`{"a_new_field": 1}`), []string{"a_new_field"})
	require.NoError(t, err)
	for _, text := range []string{`[]`, `{"r": "4"}`, `{"alpha_pattern": [1]}`, `{"alpha_pattern": {"q": null}}`, `{"alpha_pattern": {"(": 1}}`} {
		_, err := parseConfig([]byte(text), nil)
		require.ErrorIs(t, err, ErrFormat, text)
		require.ErrorContains(t, err, "LoraConfig")
	}
}
