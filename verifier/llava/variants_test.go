package llava

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// without leaves tensors out whose names end in a suffix.
func without(suffixes ...string) vlmtest.Change {
	return vlmtest.Renamed(func(name string) string {
		for _, suffix := range suffixes {
			if strings.HasSuffix(name, suffix) {
				return ""
			}
		}
		return name
	})
}

const (
	config    = "config.json"
	pictures  = "preprocessor_config.json"
	processor = "processor_config.json"
)

// TestVariants changes settings of the fixture's checkpoint; loss and gradient's
// norm are what transformers 5.23 computes with the same changes.
func TestVariants(t *testing.T) {
	tested().TestVariants(t, 2e-5, 2e-5, []vlmtest.Variant{
		{"as it is", nil, 9.039860, 2.830424},
		{"last block", []vlmtest.Change{vlmtest.With(config, "vision_feature_layer", -1)}, 8.916770, 2.425578},
		{"third state from the end", []vlmtest.Change{vlmtest.With(config, "vision_feature_layer", -3)}, 8.883764, 3.017287},
		{"the same, counted from the front", []vlmtest.Change{vlmtest.With(config, "vision_feature_layer", 2)}, 8.883764, 3.017287},
		{"class token", []vlmtest.Change{vlmtest.With(config, "vision_feature_select_strategy", "full"), vlmtest.With(processor, "vision_feature_select_strategy", "full")}, 9.103919, 2.771552},
		{"exact GELU in the tower", []vlmtest.Change{vlmtest.With(config, "vision_config.hidden_act", "gelu")}, 9.042861, 2.830298},
		{"its approximation", []vlmtest.Change{vlmtest.With(config, "vision_config.hidden_act", "gelu_pytorch_tanh")}, 9.042971, 2.830494},
		{"epsilon of the tower", []vlmtest.Change{vlmtest.With(config, "vision_config.layer_norm_eps", 0.03)}, 9.034748, 2.788185},
		{"fewer heads in the tower", []vlmtest.Change{vlmtest.With(config, "vision_config.num_attention_heads", 3)}, 8.954092, 2.878825},
		{"another projector", []vlmtest.Change{vlmtest.With(config, "projector_hidden_act", "quick_gelu")}, 9.035642, 2.823732},
		{"projector without biases", []vlmtest.Change{vlmtest.With(config, "multimodal_projector_bias", false), without("linear_1.bias", "linear_2.bias")}, 9.735072, 2.932052},
		{"rotary base", []vlmtest.Change{vlmtest.With(config, "text_config.rope_theta", 500)}, 9.599231, 2.959898},
		{"epsilon of the language model", []vlmtest.Change{vlmtest.With(config, "text_config.rms_norm_eps", 0.01)}, 9.063254, 2.802998},
		{"tied head", []vlmtest.Change{vlmtest.With(config, "tie_word_embeddings", true), vlmtest.With(config, "text_config.tie_word_embeddings", true), without("lm_head.weight")}, 9.919106, 11.498243},
	})
}

// TestNames opens checkpoints with the names that several versions of transformers
// have written.
func TestNames(t *testing.T) {
	tested().TestNames(t, golden.Plain(t), map[string]func(string) string{
		"without vision_model": func(name string) string { return strings.Replace(name, "vision_model.", "", 1) },
		"4.52 on": func(name string) string {
			if name == "language_model.lm_head.weight" {
				return "lm_head.weight"
			}
			return "model." + strings.Replace(name, "language_model.model.", "language_model.", 1)
		},
	})
}

func TestCheckpoint(t *testing.T) { tested().TestCheckpointing(t, golden.Plain(t)) }

func TestHalfPrecision(t *testing.T) {
	tested().TestPrecision(t, golden.Plain(t),
		vlmtest.Precision{DType: dtypes.BFloat16, Loss: 0.05, Gradient: 0.4, Changes: []vlmtest.Change{vlmtest.Halve}})
}
