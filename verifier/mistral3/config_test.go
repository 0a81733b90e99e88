package mistral3

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// ministral3B is what the config.json of Ministral-3-3B-Instruct-2512-BF16 says, as the
// first version 5 of transformers wrote it.
const ministral3B = `{"architectures": ["Mistral3ForConditionalGeneration"], "dtype": "bfloat16", "image_token_index": 10, "model_type": "mistral3",
	"multimodal_projector_bias": false, "projector_hidden_act": "gelu", "spatial_merge_size": 2,
	"text_config": {"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 3072, "initializer_range": 0.02,
		"intermediate_size": 9216, "max_position_embeddings": 262144, "model_type": "ministral3", "num_attention_heads": 32,
		"num_hidden_layers": 26, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_parameters": {"beta_fast": 32.0,
			"beta_slow": 1.0, "factor": 16.0, "llama_4_scaling_beta": 0.1, "mscale": 1.0, "mscale_all_dim": 1.0,
			"original_max_position_embeddings": 16384, "rope_theta": 1000000.0, "rope_type": "yarn", "type": "yarn"},
		"sliding_window": null, "tie_word_embeddings": true, "use_cache": true, "vocab_size": 131072},
	"tie_word_embeddings": true, "transformers_version": "5.0.0.dev0",
	"vision_config": {"attention_dropout": 0.0, "head_dim": 64, "hidden_act": "silu", "hidden_size": 1024, "image_size": 1540,
		"initializer_range": 0.02, "intermediate_size": 4096, "model_type": "pixtral", "num_attention_heads": 16, "num_channels": 3,
		"num_hidden_layers": 24, "patch_size": 14, "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}},
	"vision_feature_layer": -1}`

// small31 is that of Mistral-Small-3.1-24B-Instruct-2503, as transformers 4.50 wrote it;
// 3.2's differs in the version alone.
const small31 = `{"architectures": ["Mistral3ForConditionalGeneration"], "image_token_index": 10, "model_type": "mistral3",
	"multimodal_projector_bias": false, "projector_hidden_act": "gelu", "spatial_merge_size": 2,
	"text_config": {"attention_dropout": 0.0, "head_dim": 128, "hidden_act": "silu", "hidden_size": 5120, "initializer_range": 0.02,
		"intermediate_size": 32768, "max_position_embeddings": 131072, "model_type": "mistral", "num_attention_heads": 32,
		"num_hidden_layers": 40, "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 1000000000.0, "sliding_window": null,
		"use_cache": true, "vocab_size": 131072},
	"torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
	"vision_config": {"attention_dropout": 0.0, "head_dim": 64, "hidden_act": "silu", "hidden_size": 1024, "image_size": 1540,
		"initializer_range": 0.02, "intermediate_size": 4096, "model_type": "pixtral", "num_attention_heads": 16, "num_channels": 3,
		"num_hidden_layers": 24, "patch_size": 14, "rope_theta": 10000.0},
	"vision_feature_layer": -1}`

// files5 are a folder of version 5, files4 one of version 4.
func files5(config string) fstest.MapFS {
	return fstest.MapFS{
		"config.json": {Data: []byte(config)},
		processor: {Data: []byte(`{"image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]", "image_processor": {"crop_size": null,
			"data_format": "channels_first", "do_center_crop": null, "do_convert_rgb": true, "do_normalize": true, "do_rescale": true,
			"do_resize": true, "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "PixtralImageProcessorFast",
			"image_std": [0.26862954, 0.26130258, 0.27577711], "patch_size": 14, "resample": 3, "rescale_factor": 0.00392156862745098,
			"size": {"longest_edge": 1540}}, "image_token": "[IMG]", "patch_size": 14, "processor_class": "PixtralProcessor", "spatial_merge_size": 2}`)},
	}
}

func files4(config string) fstest.MapFS {
	return fstest.MapFS{
		"config.json": {Data: []byte(config)},
		"preprocessor_config.json": {Data: []byte(`{"do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true,
			"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "PixtralImageProcessor",
			"image_std": [0.26862954, 0.26130258, 0.27577711], "patch_size": 14, "processor_class": "PixtralProcessor", "resample": 3,
			"rescale_factor": 0.00392156862745098, "size": {"longest_edge": 1540}}`)},
		processor: {Data: []byte(`{"image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]", "image_token": "[IMG]", "patch_size": 14,
			"processor_class": "PixtralProcessor", "spatial_merge_size": 2}`)},
	}
}

func TestReadPublishedConfigs(t *testing.T) {
	ministral := func(hidden, intermediate, layers int, theta float64, tied bool) fstest.MapFS {
		files := files5(ministral3B)
		for path, value := range map[string]any{
			"hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers, "rope_parameters.rope_theta": theta,
			"tie_word_embeddings": tied,
		} {
			vlmtest.Set(t, files, config, "text_config."+path, value)
		}
		vlmtest.Set(t, files, config, "tie_word_embeddings", tied)
		return files
	}
	yarn := &decoder.YaRN{Factor: 16, Original: 16384, Fast: 32, Slow: 1, Attention: 1}
	for name, test := range map[string]struct {
		files fstest.MapFS
		sizes []int // of the text: width, inner width, layers
		theta float64
		tied  bool // by what config.json says, or leaves to the class
		yarn  *decoder.YaRN
	}{
		"Ministral 3 3B":    {ministral(3072, 9216, 26, 1e6, true), []int{3072, 9216, 26}, 1e6, true, yarn},
		"Ministral 3 8B":    {ministral(4096, 14336, 34, 1e6, false), []int{4096, 14336, 34}, 1e6, false, yarn},
		"Ministral 3 14B":   {ministral(5120, 16384, 40, 1e9, false), []int{5120, 16384, 40}, 1e9, false, yarn},
		"Mistral Small 3.1": {files4(small31), []int{5120, 32768, 40}, 1e9, true, nil},
		"Mistral Small 3.2": {files5(small31), []int{5120, 32768, 40}, 1e9, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := readConfig(test.files)
			require.NoError(t, err)
			x, v := c.Text, c.Vision
			require.Equal(t, test.sizes, []int{x.Hidden, x.Intermediate, x.Layers})
			require.Equal(t, []int{32, 8, 128, 131072, 0}, []int{x.Heads, x.KVHeads, x.HeadDim, x.Vocabulary, x.Windows[0]})
			require.Equal(t, []any{test.theta, test.tied, test.yarn}, []any{x.Rotary[0].Theta, x.TiedHead, x.YaRN})
			require.Equal(t, []int{1024, 4096, 24, 16, 14}, []int{v.Hidden, v.Intermediate, v.Layers, v.Heads, v.PatchSize})
			require.Equal(t, []any{vision.PixtralSize{Longest: 1540}, 28, false, 10}, []any{*c.Picture.Size, c.unit(), c.ProjectorBias, c.ImageToken})
			require.Empty(t, c.System)
		})
	}
}

// TestReadPublishedFP8: the folders without BF16 in their names have weights that are
// not read.
func TestReadPublishedFP8(t *testing.T) {
	files := files5(ministral3B)
	vlmtest.Set(t, files, config, "quantization_config", map[string]any{"activation_scheme": "static", "dequantize": false, "quant_method": "fp8"})
	_, err := readConfig(files)
	require.ErrorIs(t, err, hf.ErrConfig)
	require.ErrorContains(t, err, "quantization_config")
}

func TestReadConfigDefaults(t *testing.T) {
	files := files4(small31)
	want, err := readConfig(files)
	require.NoError(t, err)
	vlmtest.Set(t, files, config, "text_config", vlmtest.Absent{})
	for _, field := range []string{"projector_hidden_act", "multimodal_projector_bias", "spatial_merge_size", "vision_feature_layer", "image_token_index"} {
		vlmtest.Set(t, files, config, field, vlmtest.Absent{})
	}
	got, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, want.Text, got.Text)
	require.Equal(t, []any{"gelu", false, 2, 10}, []any{got.Activation, got.ProjectorBias, got.Merge, got.ImageToken})
	vlmtest.Set(t, files, config, "image_token_id", 12) // another name
	got, err = readConfig(files)
	require.NoError(t, err)
	require.Equal(t, 12, got.ImageToken)
}

const config, processor = "config.json", "processor_config.json"

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{config, "architectures", []string{"LlavaForConditionalGeneration"}},
	{config, "model_type", "llava"},
	{config, "image_token_index", 1 << 20},
	{config, "projector_hidden_act", "tanh"},
	{config, "vision_feature_layer", -2},
	{config, "spatial_merge_size", 0},
	{config, "text_config.model_type", "llama"},
	{config, "text_config.num_hidden_layers", 0},
	{config, "text_config.unheard_of", 1},
	{config, "text_config.rope_parameters.rope_type", "longrope"},
	{config, "text_config.rope_parameters.llama_4_scaling_beta", nil},
	{config, "vision_config", vlmtest.Absent{}}, // which would be of another patch_size
	{config, "vision_config.model_type", "clip_vision_model"},
	{config, "vision_config.num_attention_heads", 5},
	{config, "vision_config.head_dim", 20},
	{config, "vision_config.patch_size", 0},
	{config, "vision_config.hidden_act", "tanh"},
	{config, "vision_config.rope_parameters", map[string]any{"rope_type": "yarn"}},
	{processor, "image_processor.size", map[string]any{"longest_edge": 1 << 20}},
	{processor, "image_processor.do_center_crop", true},
	{processor, "image_processor.resample", 1},
	{processor, "image_processor.image_mean", []int{0}},
	{processor, "patch_size", 16},
	{processor, "spatial_merge_size", 1},
}

func TestReadConfigRefuses(t *testing.T) {
	sound := vlmtest.Files(t, name)
	vlmtest.TestFiles(t, sound, readConfig, config)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{ // unknown, or of another type
		{config, "vision_feature_layer", []int{-2, -1}},
		{config, "vision_feature_select_strategy", "default"},
		{config, "vision_config.layer_norm_eps", 1e-5},
		{config, "text_config.rope_parameters.tail", 2},
		{processor, "image_processor.size.shortest_edge", 378},
		{processor, "image_tokens", 8},
	})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, refused)
}
