package llava

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// opened opens the fixture's model, its files changed.
func opened(t *testing.T, rt *backends.Runtime, o Options, change func(files fstest.MapFS)) *Verifier {
	t.Helper()
	files := vlmtest.Files(t, "llava")
	if change != nil {
		change(files)
	}
	v, err := OpenFS(t.Context(), rt, files, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Release()) })
	return v
}

// without leaves tensors out whose names end in a suffix.
func without(suffixes ...string) func(t *testing.T, files fstest.MapFS) {
	return renamed(func(name string) string {
		for _, suffix := range suffixes {
			if strings.HasSuffix(name, suffix) {
				return ""
			}
		}
		return name
	})
}

// renamed renames the tensors of a checkpoint.
func renamed(to func(name string) string) func(t *testing.T, files fstest.MapFS) {
	return func(t *testing.T, files fstest.MapFS) {
		vlmtest.Rewrite(t, files, func(x *safetensors.Tensor) { x.Name = to(x.Name) })
	}
}

// set changes a field of a file.
func set(file, path string, value any) func(t *testing.T, files fstest.MapFS) {
	return func(t *testing.T, files fstest.MapFS) { vlmtest.Set(t, files, file, path, value) }
}

const (
	config    = "config.json"
	pictures  = "preprocessor_config.json"
	processor = "processor_config.json"
)

// TestVariants changes settings of the fixture's checkpoint; loss and gradient's
// norm are what transformers 5.23 computes with the same changes.
func TestVariants(t *testing.T) {
	type changes []func(t *testing.T, files fstest.MapFS)
	for _, variant := range []struct {
		name       string
		changes    changes
		loss, grad float64
	}{
		{"as it is", nil, 9.039860, 2.830424},
		{"last block", changes{set(config, "vision_feature_layer", -1)}, 8.916770, 2.425578},
		{"third state from the end", changes{set(config, "vision_feature_layer", -3)}, 8.883764, 3.017287},
		{"the same, counted from the front", changes{set(config, "vision_feature_layer", 2)}, 8.883764, 3.017287},
		{"class token", changes{set(config, "vision_feature_select_strategy", "full"), set(processor, "vision_feature_select_strategy", "full")}, 9.103919, 2.771552},
		{"exact GELU in the tower", changes{set(config, "vision_config.hidden_act", "gelu")}, 9.042861, 2.830298},
		{"its approximation", changes{set(config, "vision_config.hidden_act", "gelu_pytorch_tanh")}, 9.042971, 2.830494},
		{"epsilon of the tower", changes{set(config, "vision_config.layer_norm_eps", 0.03)}, 9.034748, 2.788185},
		{"fewer heads in the tower", changes{set(config, "vision_config.num_attention_heads", 3)}, 8.954092, 2.878825},
		{"another projector", changes{set(config, "projector_hidden_act", "quick_gelu")}, 9.035642, 2.823732},
		{"projector without biases", changes{set(config, "multimodal_projector_bias", false), without("linear_1.bias", "linear_2.bias")}, 9.735072, 2.932052},
		{"rotary base", changes{set(config, "text_config.rope_theta", 500)}, 9.599231, 2.959898},
		{"epsilon of the language model", changes{set(config, "text_config.rms_norm_eps", 0.01)}, 9.063254, 2.802998},
		{"tied head", changes{set(config, "tie_word_embeddings", true), set(config, "text_config.tie_word_embeddings", true), without("lm_head.weight")}, 9.919106, 11.498243},
	} {
		t.Run(variant.name, func(t *testing.T) {
			rt := vlmtest.Plain(t)
			v := opened(t, rt, Options{}, func(files fstest.MapFS) {
				for _, change := range variant.changes {
					change(t, files)
				}
			})
			got := vlmtest.Rate(t, rt, v, "llava")
			assert.InDelta(t, variant.loss, float64(got.Floats(t, "loss")[0]), 2e-5)
			assert.InEpsilon(t, variant.grad, vlmtest.Norm(got.Floats(t, "gradient")), 2e-5)
		})
	}
}

// TestNames opens checkpoints with the names that several versions of transformers
// have written.
func TestNames(t *testing.T) {
	rt := vlmtest.Plain(t)
	want := vlmtest.Rate(t, rt, opened(t, rt, Options{}, nil), "llava").Floats(t, "gradient")
	for name, to := range map[string]func(string) string{
		"without vision_model": func(name string) string { return strings.Replace(name, "vision_model.", "", 1) },
		"4.52 on": func(name string) string {
			if name == "language_model.lm_head.weight" {
				return "lm_head.weight"
			}
			return "model." + strings.Replace(name, "language_model.model.", "language_model.", 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := opened(t, rt, Options{}, func(files fstest.MapFS) { renamed(to)(t, files) })
			require.Equal(t, want, vlmtest.Rate(t, rt, v, "llava").Floats(t, "gradient"))
		})
	}
}

// TestCheckpoint recomputes activations in the backward pass: the same numbers.
func TestCheckpoint(t *testing.T) {
	rt := vlmtest.Plain(t)
	want := vlmtest.Rate(t, rt, opened(t, rt, Options{Checkpoint: backends.CheckpointOff}, nil), "llava")
	got := vlmtest.Rate(t, rt, opened(t, rt, Options{Checkpoint: backends.CheckpointOn}, nil), "llava")
	for _, name := range []string{"loss", "gradient"} {
		require.NoError(t, golden.Close(got.Floats(t, name), want.Floats(t, name), 1e-5), name)
	}
}

// TestHalfPrecision computes in bfloat16.
func TestHalfPrecision(t *testing.T) {
	rt := vlmtest.Plain(t)
	want := vlmtest.Rate(t, rt, opened(t, rt, Options{}, nil), "llava")
	half := *rt
	half.DType = dtypes.BFloat16
	got := vlmtest.Rate(t, &half, opened(t, &half, Options{}, func(files fstest.MapFS) { vlmtest.Halve(t, files) }), "llava")
	require.NoError(t, golden.Close(got.Floats(t, "loss"), want.Floats(t, "loss"), 0.05))
	require.NoError(t, golden.Close(got.Floats(t, "gradient"), want.Floats(t, "gradient"), 0.4))
}
