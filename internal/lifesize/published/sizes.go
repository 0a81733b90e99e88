package published

import "github.com/dualprocess/dualprocess-go/internal/lifesize"

// clipL is the text encoder of CLIP ViT-L/14, in the folder text_encoder.
func clipL() map[string]any {
	return lifesize.Below("text_encoder/config.json ", map[string]any{
		"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12,
		"projection_dim": 768, "vocab_size": 49408,
	})
}

// kl is the autoencoder of Stable Diffusion and FLUX, whose latents alone differ.
func kl() map[string]any {
	return lifesize.Below("vae/config.json ", map[string]any{"block_out_channels": []int{128, 256, 512, 512}, "norm_num_groups": 32})
}

// fluxSizes are those of black-forest-labs/FLUX.1-schnell, which has 19 and 38 blocks.
func fluxSizes(double, single int) map[string]any {
	return lifesize.Merged(clipL(), kl(),
		lifesize.Below("transformer/config.json ", map[string]any{
			"attention_head_dim": 128, "num_attention_heads": 24, "axes_dims_rope": []int{16, 56, 56},
			"num_layers": double, "num_single_layers": single, "joint_attention_dim": 4096, "pooled_projection_dim": 768,
		}),
		lifesize.Below("text_encoder_2/config.json ", map[string]any{
			"d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_heads": 64, "num_layers": 24, "num_decoder_layers": 24, "vocab_size": 32128,
		}))
}

// fluxDepth is FLUX.1 schnell's number of blocks.
func fluxDepth() map[string]any {
	return lifesize.Below("transformer/config.json ", map[string]any{"num_layers": 19, "num_single_layers": 38})
}

// sdSizes are those of CompVis/stable-diffusion-v1-4.
func sdSizes() map[string]any {
	return lifesize.Merged(clipL(), kl(), lifesize.Below("unet/config.json ", map[string]any{
		"block_out_channels": []int{320, 640, 1280, 1280}, "attention_head_dim": 8, "cross_attention_dim": 768,
		"layers_per_block": 2, "norm_num_groups": 32,
	}))
}

// sanaSizes are those of Efficient-Large-Model/Sana_1600M_512px_diffusers.
func sanaSizes() map[string]any {
	widths := []int{128, 256, 512, 512, 1024, 1024}
	return lifesize.Merged(
		lifesize.Below("transformer/config.json ", map[string]any{
			"num_attention_heads": 70, "attention_head_dim": 32, "num_cross_attention_heads": 20, "cross_attention_head_dim": 112,
			"cross_attention_dim": 2240, "caption_channels": 2304, "num_layers": 20,
		}),
		lifesize.Below("vae/config.json ", map[string]any{
			"attention_head_dim": 32, "decoder_block_out_channels": widths, "encoder_block_out_channels": widths,
			"decoder_layers_per_block": []int{3, 3, 3, 3, 3, 3}, "encoder_layers_per_block": []int{2, 2, 2, 3, 3, 3},
		}),
		lifesize.Below("text_encoder/config.json ", map[string]any{
			"hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
			"head_dim": 256, "query_pre_attn_scalar": 256, "sliding_window": 4096, "vocab_size": 256000,
		}))
}

// qwen7B are the sizes of Qwen/Qwen2.5-VL-7B-Instruct, which has 28 layers and a tower of 32.
func qwen7B(layers, tower int) map[string]any {
	return lifesize.Merged(
		lifesize.Below("config.json ", map[string]any{
			"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4,
			"num_hidden_layers": layers, "max_window_layers": layers, "vocab_size": 152064, "rope_scaling.mrope_section": []int{16, 24, 24},
		}), qwenTower(tower, 3584))
}

// qwenDepth is its number of layers.
func qwenDepth() map[string]any {
	return lifesize.Below("config.json ", map[string]any{
		"num_hidden_layers": 28, "max_window_layers": 28, "vision_config.depth": 32, "vision_config.fullatt_block_indexes": []int{7, 15, 23, 31},
	})
}

// qwen3B are the sizes of Qwen/Qwen2.5-VL-3B-Instruct.
func qwen3B() map[string]any {
	return lifesize.Merged(
		lifesize.Below("config.json ", map[string]any{
			"hidden_size": 2048, "intermediate_size": 11008, "num_attention_heads": 16, "num_key_value_heads": 2,
			"num_hidden_layers": 36, "max_window_layers": 36, "vocab_size": 151936, "rope_scaling.mrope_section": []int{16, 24, 24},
			"tie_word_embeddings": true,
		}), qwenTower(32, 2048))
}

// qwenTower is the vision tower of both; every fourth quarter of it looks at the whole picture.
func qwenTower(depth, width int) map[string]any {
	return lifesize.Below("config.json vision_config.", map[string]any{
		"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "depth": depth, "out_hidden_size": width, "window_size": 112,
		"fullatt_block_indexes": []int{depth/4 - 1, depth/2 - 1, depth*3/4 - 1, depth - 1},
	})
}

// smolSizes are those of HuggingFaceTB/SmolVLM2-500M-Video-Instruct.
func smolSizes() map[string]any {
	return lifesize.Merged(
		lifesize.Below("config.json ", map[string]any{
			"scale_factor": 4, "text_config.hidden_size": 960, "text_config.intermediate_size": 2560, "text_config.num_attention_heads": 15,
			"text_config.num_key_value_heads": 5, "text_config.head_dim": 64, "text_config.num_hidden_layers": 32, "text_config.vocab_size": 49280,
			"text_config.pixel_shuffle_factor": 4, "vocab_size": 49280,
		}),
		lifesize.Below("config.json vision_config.", map[string]any{
			"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "patch_size": 16,
			"image_size": 512, "max_image_size.longest_edge": 512, "size.longest_edge": 2048,
		}),
		map[string]any{
			"preprocessor_config.json max_image_size.longest_edge": 512, "preprocessor_config.json size.longest_edge": 2048,
			"processor_config.json image_seq_len": 64,
		})
}

// gemmaSizes are those of google/gemma-3-4b-it.
func gemmaSizes() map[string]any {
	return lifesize.Merged(
		lifesize.Below("config.json text_config.", map[string]any{
			"hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 34,
			"head_dim": 256, "vocab_size": 262208, "query_pre_attn_scalar": 256, "sliding_window": 1024, "sliding_window_pattern": 6,
		}),
		lifesize.Below("config.json vision_config.", map[string]any{
			"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27, "image_size": 896,
		}),
		map[string]any{
			"config.json mm_tokens_per_image": 256, "preprocessor_config.json size.height": 896, "preprocessor_config.json size.width": 896,
			"processor_config.json image_seq_length": 256,
		})
}

// kleinSizes are those of black-forest-labs/FLUX.2-klein-4B.
func kleinSizes() map[string]any {
	return lifesize.Merged(qwen3(),
		lifesize.Below("transformer/config.json ", map[string]any{
			"in_channels": 128, "attention_head_dim": 128, "num_attention_heads": 24, "axes_dims_rope": []int{32, 32, 32, 32},
			"num_layers": 5, "num_single_layers": 20, "joint_attention_dim": 3 * 2560,
		}),
		lifesize.Below("vae/config.json ", map[string]any{
			"block_out_channels": []int{128, 256, 512, 512}, "norm_num_groups": 32, "latent_channels": 32, "layers_per_block": 2,
		}))
}

// zimageSizes are those of Tongyi-MAI/Z-Image-Turbo.
func zimageSizes() map[string]any {
	return lifesize.Merged(qwen3(), kl(),
		lifesize.Below("transformer/config.json ", map[string]any{
			"dim": 3840, "n_heads": 30, "n_kv_heads": 30, "n_layers": 30, "axes_dims": []int{32, 48, 48}, "cap_feat_dim": 2560,
		}),
		lifesize.Below("vae/config.json ", map[string]any{"layers_per_block": 2}))
}

// qwen3Text is the decoder of Qwen3-4B.
func qwen3Text() map[string]any {
	return map[string]any{
		"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
		"head_dim": 128, "vocab_size": 151936,
	}
}

// qwen3 is the text encoder of klein and Z-Image.
func qwen3() map[string]any {
	return lifesize.Merged(lifesize.Below("text_encoder/config.json ", qwen3Text()), map[string]any{"text_encoder/config.json max_window_layers": 36})
}

// qwen3VL are the sizes of Qwen/Qwen3-VL-4B-Instruct.
func qwen3VL() map[string]any {
	return lifesize.Merged(
		lifesize.Below("config.json text_config.", qwen3Text()),
		map[string]any{"config.json text_config.rope_scaling.mrope_section": []int{24, 20, 20}},
		lifesize.Below("config.json vision_config.", map[string]any{
			"hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16, "depth": 24, "out_hidden_size": 2560,
			"num_position_embeddings": 48 * 48, "deepstack_visual_indexes": []int{5, 11, 17},
		}),
		map[string]any{"preprocessor_config.json size.shortest_edge": 65536, "preprocessor_config.json size.longest_edge": 16777216})
}
