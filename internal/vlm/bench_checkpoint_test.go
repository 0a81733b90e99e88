package vlm_test

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	sizes "github.com/dualprocess/dualprocess-go/internal/lifesize/published"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/idefics2"
	"github.com/dualprocess/dualprocess-go/verifier/llava"
	"github.com/dualprocess/dualprocess-go/verifier/mistral3"
	"github.com/dualprocess/dualprocess-go/verifier/pixtral"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
	"github.com/dualprocess/dualprocess-go/verifier/qwen35"
	"github.com/dualprocess/dualprocess-go/verifier/qwen3vl"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// benchSize is a checkpoint of random weights.
type benchSize struct {
	name          string
	model         lifesize.Model
	height, width int // of the picture
}

// fixtures is where the small checkpoints are.
var fixtures = os.DirFS("../golden/testdata")

// published is a model of published sizes.
func published(b *testing.B, name string) benchSize {
	m, err := sizes.Model(name, fixtures)
	require.NoError(b, err)
	return benchSize{name, m, 512, 512}
}

// realSizes are Qwen2.5-VL-7B and Gemma 3 4B.
func realSizes(b *testing.B) []benchSize {
	return []benchSize{published(b, "Qwen2.5-VL-7B"), published(b, "Gemma-3-4B")}
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
	benchQwen  = lifesize.Merged(
		lifesize.Below(configFile+"vision_config.", map[string]any{
			"hidden_size": 384, "intermediate_size": 1536, "num_heads": 6, "depth": 8, "out_hidden_size": 512, "num_position_embeddings": 2304,
		}),
		lifesize.Below(configFile+"text_config.", lifesize.Merged(benchText, benchHead)),
		map[string]any{pictureFile + "size.longest_edge": 1 << 24})

	second = []struct {
		name    string // of the fixture
		side    int
		open    func(context.Context, *backends.Runtime, fs.FS) error
		changes map[string]any
	}{
		{"qwen2_5_vl", 448, lifesize.Opening(qwen25vl.OpenFS), lifesize.Merged(
			lifesize.Below(configFile, benchText), lifesize.Below(configFile, map[string]any{"max_window_layers": 8, "rope_scaling.mrope_section": []int{8, 12, 12}}),
			lifesize.Below(configFile+"vision_config.", map[string]any{
				"hidden_size": 384, "intermediate_size": 1024, "num_heads": 6, "depth": 8, "out_hidden_size": 512, "window_size": 112, "fullatt_block_indexes": []int{3, 7},
			}))},
		{"idefics2", 384, lifesize.Opening(idefics2.OpenFS), lifesize.Merged(
			lifesize.Below(configFile+"text_config.", lifesize.Merged(benchText, benchHead)), lifesize.Below(configFile+"vision_config.", benchTower),
			lifesize.Below(configFile, map[string]any{"text_config.sliding_window": 4096, "vision_config.image_size": 980}),
			lifesize.Below(configFile+"perceiver_config.", map[string]any{
				"hidden_size": 512, "resampler_depth": 3, "resampler_head_dim": 64, "resampler_n_heads": 8, "num_key_value_heads": 4, "resampler_n_latents": 64,
			}),
			map[string]any{processorFile + "image_seq_len": 64})},
		{"llava", 336, lifesize.Opening(llava.OpenFS), lifesize.Merged(
			lifesize.Below(configFile+"text_config.", benchText), lifesize.Below(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "vision_config.image_size": 336, configFile + "vision_config.projection_dim": 384, configFile + "image_seq_length": 576,
				pictureFile + "size.shortest_edge": 336, pictureFile + "crop_size.height": 336, pictureFile + "crop_size.width": 336,
			})},
		{"gemma3", 512, lifesize.Opening(gemma3.OpenFS), lifesize.Merged(
			lifesize.Below(configFile+"text_config.", lifesize.Merged(benchText, benchHead)), lifesize.Below(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "text_config.sliding_window": 128, configFile + "text_config.query_pre_attn_scalar": 64,
				configFile + "vision_config.image_size": 448, configFile + "mm_tokens_per_image": 256,
				pictureFile + "size.height": 448, pictureFile + "size.width": 448, processorFile + "image_seq_length": 256,
			})},
		{"pixtral", 384, lifesize.Opening(pixtral.OpenFS), lifesize.Merged(
			lifesize.Below(configFile+"text_config.", lifesize.Merged(benchText, benchHead)), lifesize.Below(configFile+"vision_config.", benchTower),
			map[string]any{configFile + "vision_config.head_dim": 64, configFile + "vision_config.intermediate_size": 1024, configFile + "vision_config.image_size": 1024})},
		{"qwen3_vl", 448, lifesize.Opening(qwen3vl.OpenFS), lifesize.Merged(benchQwen, map[string]any{
			configFile + "text_config.rope_scaling.mrope_section": []int{12, 10, 10}, configFile + "vision_config.deepstack_visual_indexes": []int{2, 5},
		})},
		{"qwen3_5", 448, lifesize.Opening(qwen35.OpenFS), lifesize.Merged(benchQwen, lifesize.Below(configFile+"text_config.", map[string]any{
			"rope_parameters.mrope_section": []int{4, 2, 2}, "layer_types": slices.Repeat([]string{"linear_attention", "linear_attention", "linear_attention", "full_attention"}, 2),
			"linear_num_key_heads": 4, "linear_num_value_heads": 8, "linear_key_head_dim": 64, "linear_value_head_dim": 64,
		}))},
		{"mistral3", 392, lifesize.Opening(mistral3.OpenFS), lifesize.Merged(
			lifesize.Below(configFile+"text_config.", lifesize.Merged(benchText, benchHead)), lifesize.Below(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "vision_config.head_dim": 64, configFile + "vision_config.intermediate_size": 1024, configFile + "vision_config.image_size": 392,
				processorFile + "image_processor.size.longest_edge": 392,
			})},
		{"smolvlm2", 384, lifesize.Opening(smolvlm2.OpenFS), lifesize.Merged(
			lifesize.Below(configFile+"text_config.", lifesize.Merged(benchText, benchHead)), lifesize.Below(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "vision_config.image_size": 384, configFile + "vision_config.patch_size": 16,
				configFile + "vision_config.max_image_size.longest_edge": 384, configFile + "vision_config.size.longest_edge": 384,
				pictureFile + "max_image_size.longest_edge": 384, pictureFile + "size.longest_edge": 384, processorFile + "image_seq_len": 64,
			})},
	}
)

// secondSizes take about a second on two cores.
func secondSizes(b *testing.B) (all []benchSize) {
	for _, c := range second {
		m := lifesize.Model{Folder: vlmtest.Files(b, c.name), Changes: c.changes, DType: safetensors.F32, Open: c.open}
		all = append(all, benchSize{c.name, m, c.side, c.side})
	}
	return all
}

// write makes the checkpoint's folder, unless it is there already.
func (s benchSize) write(b *testing.B, folder string) {
	files, err := s.model.Files(b.Context())
	require.NoError(b, err)
	require.NoError(b, lifesize.Write(b.Context(), files, folder))
}
