// Package published knows the sizes of models as they are published, for package lifesize to make checkpoints of.
package published

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// sized is a model as it is published: the fixture that it is like, its sizes and how it is opened.
type sized struct {
	fixture string
	dtype   safetensors.DType
	changes map[string]any
	open    func(context.Context, *backends.Runtime, fs.FS) error
}

// Names lists the models of Model.
func Names() []string { return slices.Sorted(maps.Keys(models())) }

// Model returns a model of published sizes. fixtures is the folder with the small checkpoints whose configurations
// and tokenizers it takes: internal/golden/testdata.
func Model(name string, fixtures fs.FS) (lifesize.Model, error) {
	p, ok := models()[name]
	if !ok {
		return lifesize.Model{}, fmt.Errorf("published: no sizes of %q are known, but of %q", name, Names())
	}
	folder, err := fs.Sub(fixtures, p.fixture)
	if err != nil {
		return lifesize.Model{}, fmt.Errorf("published: %w", err)
	}
	return lifesize.Model{Folder: folder, Changes: p.changes, DType: p.dtype, Open: p.open}, nil
}

// models are the sizes in the models' repositories.
func models() map[string]sized {
	return map[string]sized{
		"FLUX.1-schnell":         {"generator/flux_schnell/model", safetensors.BF16, fluxSizes(19, 38), lifesize.Opening(flux.OpenFS)},
		"FLUX.1-schnell-shallow": {"generator/flux_schnell/model", safetensors.BF16, fluxSizes(2, 4), lifesize.Opening(flux.OpenFS)},
		"FLUX.1-schnell-thin": {"generator/flux_schnell/model", safetensors.BF16, map[string]any{
			"transformer/config.json num_layers": 19, "transformer/config.json num_single_layers": 38,
		}, lifesize.Opening(flux.OpenFS)},
		"FLUX.1-schnell-tiny":   {"generator/flux_schnell/model", safetensors.BF16, nil, lifesize.Opening(flux.OpenFS)},
		"stable-diffusion-v1-4": {"generator/sd14/model", safetensors.F32, sdSizes(), lifesize.Opening(sd.OpenFS)},
		"Sana-1600M":            {"generator/sana/model", safetensors.BF16, sanaSizes(), lifesize.Opening(sana.OpenFS)},
		"Qwen2.5-VL-7B":         {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen7B(28, 32), lifesize.Opening(qwen25vl.OpenFS)},
		"Qwen2.5-VL-7B-shallow": {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen7B(4, 8), lifesize.Opening(qwen25vl.OpenFS)},
		"Qwen2.5-VL-3B":         {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen3B(), lifesize.Opening(qwen25vl.OpenFS)},
		"Qwen2.5-VL-7B-thin": {"verifier/qwen2_5_vl/model", safetensors.BF16, map[string]any{
			"config.json num_hidden_layers": 28, "config.json max_window_layers": 28, "config.json vision_config.depth": 32,
			"config.json vision_config.fullatt_block_indexes": []int{7, 15, 23, 31},
		}, lifesize.Opening(qwen25vl.OpenFS)},
		"Qwen2.5-VL-tiny": {"verifier/qwen2_5_vl/model", safetensors.BF16, nil, lifesize.Opening(qwen25vl.OpenFS)},
		"Gemma-3-4B":      {"verifier/gemma3/model", safetensors.BF16, gemmaSizes(), lifesize.Opening(gemma3.OpenFS)},
		"SmolVLM2-500M":   {"verifier/smolvlm2/model", safetensors.BF16, smolSizes(), lifesize.Opening(smolvlm2.OpenFS)},
	}
}

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
