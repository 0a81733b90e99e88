package hf

import (
	"encoding/json"
	"reflect"
	"strings"
)

// harmless says that a field that a configuration does not have changes nothing: it
// is null, a stamp, or says what the model does anyway.
func harmless(name string, value json.RawMessage) bool {
	if Null(value) || stamps[name] || strings.HasPrefix(name, "unsloth_") {
		return true
	}
	var given any
	standard, ok := defaults[name]
	return ok && json.Unmarshal(value, &given) == nil && reflect.DeepEqual(given, standard)
}

// stamps are fields of any value that tell where a file comes from, how its model was
// trained, or how a library runs it.
var stamps = set(
	// Who wrote the file.
	"_name_or_path", "name_or_path", "model_name", "_commit_hash", "transformers_version", "_diffusers_version",
	"tokenizers_version", "peft_version", "trl_version", "library_name", "pipeline_tag", "license", "tags",
	"base_model", "base_model_name_or_path", "auto_map", "_auto_class", "_from_auto", "_use_default_values",
	"architectures", "processor_class", "_processor_class", "image_processor_type", "feature_extractor_type",
	"_image_processor_type", "_valid_processor_keys", "tokenizer_class", "chat_template", "trust_remote_code",
	// How it is run.
	"torch_dtype", "dtype", "torchscript", "use_cache", "return_dict", "use_fast", "gradient_checkpointing",
	"_gradient_checkpointing", "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
	"_attn_implementation_autoset", "_experts_implementation", "_flash_attn_2_enabled", "use_flash_attn",
	"output_attentions", "output_hidden_states", "transformers.js_config",
	// How it was trained: dropout, the numbers before the first step, and diffusers' running mean of the weights.
	"dropout", "attention_dropout", "hidden_dropout", "embd_pdrop", "attn_pdrop", "resid_pdrop", "layerdrop",
	"neftune_noise_alpha", "use_reentrant_checkpointing", "is_llama_config",
	"classifier_dropout", "initializer_range", "initializer_factor", "logit_scale_init_value",
	"decay", "min_decay", "inv_gamma", "power", "optimization_step", "update_after_step", "use_ema_warmup",
)

// defaults are values that say what a model does which does not know the field. A
// family that can do otherwise has the field in its own configuration, which then
// decides.
var defaults = map[string]any{
	"add_cross_attention": false, "is_decoder": false, "is_encoder_decoder": false,
	"attention_bias": false, "mlp_bias": false, "use_bidirectional_attention": false,
	"use_qk_norm": false, "qk_norm": false, "qk_layer_norms": false, "rope_interleaved": false, "use_sliding_window": false, "partial_rotary_factor": 1.,
	"chunk_size_feed_forward": 0., "pruned_heads": map[string]any{}, "pretraining_tp": 1.,
	"residual_multiplier": 1., "embedding_multiplier": 1., "logits_scaling": 1.,
	"do_center_crop": false, "do_pan_and_scan": false, "do_image_splitting": false, "do_pad": false,
	"vision_use_head": false, "use_resampler": false, "output_router_logits": false,
	"rescale_betas_zero_snr": false, "thresholding": false, "use_flow_sigmas": false, "use_dynamic_shifting": false,
	"use_karras_sigmas": false, "use_exponential_sigmas": false, "use_beta_sigmas": false, "use_lu_lambdas": false,
	"invert_sigmas": false, "stochastic_sampling": false,
}

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}
