package gemma3

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

const (
	config    = "config.json"
	pictures  = "preprocessor_config.json"
	processor = "processor_config.json"
)

// variants are what transformers 5.23 computes (eager attention) with the same changes.
func variants() []vlmtest.Variant {
	const text = "text_config."
	scaled := map[string]any{"rope_type": "linear", "factor": 4, "rope_theta": 20000}
	plainly := map[string]any{"rope_type": "default", "rope_theta": 500}
	kinds := []string{"full_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"}
	return []vlmtest.Variant{
		{"as it is", nil, 7.358477, 0.857837},
		{"window within the picture", []vlmtest.Change{vlmtest.With(config, text+"sliding_window", 6)}, 6.059782, 2.209579},
		{"window of one", []vlmtest.Change{vlmtest.With(config, text+"sliding_window", 1)}, 9.542685, 0.952253},
		{"window within the question", []vlmtest.Change{vlmtest.With(config, text+"sliding_window", 20)}, 7.328785, 0.599155},
		{"fewer tokens", []vlmtest.Change{vlmtest.With(config, "mm_tokens_per_image", 4), vlmtest.With(processor, "image_seq_length", 4)}, 9.443975, 0.727286},
		{"all local", []vlmtest.Change{vlmtest.With(config, text+"sliding_window_pattern", vlmtest.Absent{}), vlmtest.With(config, text+"sliding_window", 9)}, 7.988925, 0.016530},
		{"all global", []vlmtest.Change{vlmtest.With(config, text+"sliding_window_pattern", 1)}, 7.407157, 2.185760},
		{"layer types", []vlmtest.Change{vlmtest.With(config, text+"layer_types", kinds), vlmtest.With(config, text+"sliding_window", 9)}, 9.239791, 2.084159},
		{"no scaling", []vlmtest.Change{vlmtest.With(config, text+"rope_scaling", nil), vlmtest.With(config, text+"query_pre_attn_scalar", 24)}, 6.937158, 2.023691},
		{"other bases", []vlmtest.Change{vlmtest.With(config, text+"rope_theta", 5000), vlmtest.With(config, text+"rope_local_base_freq", 300)}, 7.650790, 1.106836},
		{"rope parameters", []vlmtest.Change{
			vlmtest.With(config, text+"rope_scaling", vlmtest.Absent{}),
			vlmtest.With(config, text+"rope_parameters", map[string]any{"full_attention": scaled, "sliding_attention": plainly}),
		}, 6.061771, 1.231937},
		{"pixels left over", []vlmtest.Change{vlmtest.With(pictures, "size", map[string]int{"height": 118, "width": 125})}, 7.586905, 1.165334},
		{"another filter", []vlmtest.Change{
			vlmtest.With(pictures, "resample", 3), vlmtest.With(pictures, "image_mean", []float64{0.4, 0.5, 0.6}), vlmtest.With(pictures, "image_std", []float64{0.3, 0.25, 0.2}),
		}, 7.859497, 2.656417},
		{"epsilons", []vlmtest.Change{vlmtest.With(config, text+"rms_norm_eps", 1e-2), vlmtest.With(config, "vision_config.layer_norm_eps", 1e-2)}, 7.135934, 0.808080},
		{"half", []vlmtest.Change{vlmtest.Halve}, 7.358126, 0.862203},
	}
}

func TestVariants(t *testing.T) { tested().TestVariants(t, 5e-5, 1e-4, variants()) }
