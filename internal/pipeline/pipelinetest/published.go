package pipelinetest

import "testing/fstest"

// Published puts the configurations of published models in place of a fixture's, by the
// names of their files.
func Published(files fstest.MapFS, configs map[string]string) {
	for name, text := range configs {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
}

// Configurations of parts that several published models have: the autoencoder of
// mit-han-lab/dc-ae-f32c32-sana-1.1-diffusers, google/gemma-2-2b-it, and the autoencoder
// of black-forest-labs/FLUX.1-dev.
const (
	PublishedDC = `{"_class_name": "AutoencoderDC", "_diffusers_version": "0.33.0.dev0", "attention_head_dim": 32, "decoder_act_fns": "silu",
		"decoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
		"decoder_block_types": ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"],
		"decoder_layers_per_block": [3, 3, 3, 3, 3, 3], "decoder_norm_types": "rms_norm", "decoder_qkv_multiscales": [[], [], [], [5], [5], [5]],
		"downsample_block_type": "conv", "encoder_block_out_channels": [128, 256, 512, 512, 1024, 1024],
		"encoder_block_types": ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"],
		"encoder_layers_per_block": [2, 2, 2, 3, 3, 3], "encoder_qkv_multiscales": [[], [], [], [5], [5], [5]], "in_channels": 3,
		"latent_channels": 32, "scaling_factor": 0.41407, "upsample_block_type": "interpolate"}`
	PublishedGemma = `{"architectures": ["Gemma2ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": 50.0,
		"bos_token_id": 2, "cache_implementation": "hybrid", "eos_token_id": [1, 107], "final_logit_softcapping": 30.0, "head_dim": 256,
		"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2304, "initializer_range": 0.02,
		"intermediate_size": 9216, "max_position_embeddings": 8192, "model_type": "gemma2", "num_attention_heads": 8, "num_hidden_layers": 26,
		"num_key_value_heads": 4, "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
		"sliding_window": 4096, "torch_dtype": "bfloat16", "transformers_version": "4.46.1", "use_cache": true, "vocab_size": 256000}`
	PublishedFluxKL = `{"_class_name": "AutoencoderKL", "_diffusers_version": "0.36.0.dev0", "_name_or_path": "flux-dev", "act_fn": "silu",
		"block_out_channels": [128, 256, 512, 512],
		"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
		"force_upcast": true, "in_channels": 3, "latent_channels": 16, "latents_mean": null, "latents_std": null, "layers_per_block": 2,
		"mid_block_add_attention": true, "norm_num_groups": 32, "out_channels": 3, "sample_size": 1024, "scaling_factor": 0.3611,
		"shift_factor": 0.1159, "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
		"use_post_quant_conv": false, "use_quant_conv": false}`
)
