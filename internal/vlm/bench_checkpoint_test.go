package vlm_test

import (
	"context"
	"io/fs"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
)

// benchSize is a checkpoint of random weights: that of a fixture with other sizes.
type benchSize struct {
	model         string            // of the fixtures
	height, width int               // of the picture
	dtype         safetensors.DType // of the weights
	changes       map[string]any
}

// Fields that several models have, with a prefix.
func fields(prefix string, values map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range values {
		out[prefix+name] = value
	}
	return out
}

func merged(all ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

const (
	configFile    = "config.json "
	pictureFile   = "preprocessor_config.json "
	processorFile = "processor_config.json "
)

// Changes are named by the file and the path of a field in it.
var (
	benchText = map[string]any{
		"hidden_size": 512, "intermediate_size": 1536, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 8,
	}
	benchHead  = map[string]any{"head_dim": 64}
	benchTower = map[string]any{"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6, "num_hidden_layers": 8}

	secondSizes = []benchSize{
		{"qwen2_5_vl", 448, 448, safetensors.F32, merged(
			fields(configFile, benchText), fields(configFile, map[string]any{"max_window_layers": 8, "rope_scaling.mrope_section": []int{8, 12, 12}}),
			fields(configFile+"vision_config.", map[string]any{
				"hidden_size": 384, "intermediate_size": 1024, "num_heads": 6, "depth": 8, "out_hidden_size": 512, "window_size": 112, "fullatt_block_indexes": []int{3, 7},
			}))},
		{"idefics2", 384, 384, safetensors.F32, merged(
			fields(configFile+"text_config.", merged(benchText, benchHead)), fields(configFile+"vision_config.", benchTower),
			fields(configFile, map[string]any{"text_config.sliding_window": 4096, "vision_config.image_size": 980}),
			fields(configFile+"perceiver_config.", map[string]any{
				"hidden_size": 512, "resampler_depth": 3, "resampler_head_dim": 64, "resampler_n_heads": 8, "num_key_value_heads": 4, "resampler_n_latents": 64,
			}),
			map[string]any{processorFile + "image_seq_len": 64})},
		{"llava", 336, 336, safetensors.F32, merged(
			fields(configFile+"text_config.", benchText), fields(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "vision_config.image_size": 336, configFile + "vision_config.projection_dim": 384, configFile + "image_seq_length": 576,
				pictureFile + "size.shortest_edge": 336, pictureFile + "crop_size.height": 336, pictureFile + "crop_size.width": 336,
			})},
		{"gemma3", 512, 512, safetensors.F32, merged(
			fields(configFile+"text_config.", merged(benchText, benchHead)), fields(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "text_config.sliding_window": 128, configFile + "text_config.query_pre_attn_scalar": 64,
				configFile + "vision_config.image_size": 448, configFile + "mm_tokens_per_image": 256,
				pictureFile + "size.height": 448, pictureFile + "size.width": 448, processorFile + "image_seq_length": 256,
			})},
		{"pixtral", 384, 384, safetensors.F32, merged(
			fields(configFile+"text_config.", merged(benchText, benchHead)), fields(configFile+"vision_config.", benchTower),
			map[string]any{configFile + "vision_config.head_dim": 64, configFile + "vision_config.intermediate_size": 1024, configFile + "vision_config.image_size": 1024})},
	}

	// realSizes are Qwen2.5-VL-7B and Gemma 3 4B.
	realSizes = []benchSize{
		{"qwen2_5_vl", 512, 512, safetensors.BF16, merged(
			fields(configFile, map[string]any{
				"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "num_hidden_layers": 28,
				"vocab_size": 152064, "max_window_layers": 28, "rope_scaling.mrope_section": []int{16, 24, 24},
			}),
			fields(configFile+"vision_config.", map[string]any{
				"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "depth": 32, "out_hidden_size": 3584, "window_size": 112,
				"fullatt_block_indexes": []int{7, 15, 23, 31},
			}))},
		{"gemma3", 512, 512, safetensors.BF16, merged(
			fields(configFile+"text_config.", map[string]any{
				"hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 34, "head_dim": 256,
				"vocab_size": 262208, "query_pre_attn_scalar": 256, "sliding_window": 1024, "sliding_window_pattern": 6,
			}),
			fields(configFile+"vision_config.", map[string]any{
				"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27, "image_size": 896,
			}),
			map[string]any{
				configFile + "mm_tokens_per_image": 256, pictureFile + "size.height": 896, pictureFile + "size.width": 896, processorFile + "image_seq_length": 256,
			})},
	}
)

// benchOpen opens the models by the names of their fixtures.
var benchOpen = map[string]func(context.Context, *backends.Runtime, fs.FS) error{
	"qwen2_5_vl": lifesize.Opening(qwen25vl.OpenFS), "idefics2": lifesize.Opening(idefics2.OpenFS), "llava": lifesize.Opening(llava.OpenFS),
	"gemma3": lifesize.Opening(gemma3.OpenFS), "pixtral": lifesize.Opening(pixtral.OpenFS),
}

// write makes the checkpoint's folder, unless it is there already.
func (s benchSize) write(b *testing.B, folder string) {
	files, err := lifesize.Model{
		Folder: vlmtest.Files(b, s.model), Changes: s.changes, DType: s.dtype, Open: benchOpen[s.model],
	}.Files(b.Context())
	require.NoError(b, err)
	require.NoError(b, lifesize.Write(b.Context(), files, folder))
}
