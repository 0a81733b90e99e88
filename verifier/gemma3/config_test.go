package gemma3

import (
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// The configurations of google/gemma-3-4b-it, -12b-it and -27b-it differ in text_config alone.
const (
	realOutside = `"architectures": ["Gemma3ForConditionalGeneration"], "boi_token_index": 255999, "eoi_token_index": 256000,
		"eos_token_id": [1, 106], "image_token_index": 262144, "initializer_range": 0.02, "mm_tokens_per_image": 256,
		"model_type": "gemma3", "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
		"vision_config": {"hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "model_type": "siglip_vision_model",
			"num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false}`
	real4B = `{"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
		"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}`
	real12B = `{"hidden_size": 3840, "intermediate_size": 15360, "model_type": "gemma3_text", "num_attention_heads": 16,
		"num_hidden_layers": 48, "num_key_value_heads": 8, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}`
	real27B = `{"head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504, "model_type": "gemma3_text", "num_attention_heads": 32,
		"num_hidden_layers": 62, "num_key_value_heads": 16, "query_pre_attn_scalar": 168,
		"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}`
	realPicture = `{"do_convert_rgb": null, "do_normalize": true, "do_pan_and_scan": null, "do_rescale": true, "do_resize": true,
		"image_mean": [0.5, 0.5, 0.5], "image_processor_type": "Gemma3ImageProcessor", "image_seq_length": 256,
		"image_std": [0.5, 0.5, 0.5], "pan_and_scan_max_num_crops": null, "pan_and_scan_min_crop_size": null,
		"pan_and_scan_min_ratio_to_activate": null, "processor_class": "Gemma3Processor", "resample": 2,
		"rescale_factor": 0.00392156862745098, "size": {"height": 896, "width": 896}}`
	realProcessor = `{"image_seq_length": 256, "processor_class": "Gemma3Processor"}`
)

// realFolder has the configuration of a real checkpoint as version 4 of transformers wrote it.
func realFolder(text string) fstest.MapFS {
	return fstest.MapFS{
		"config.json":              {Data: []byte(`{"text_config": ` + text + `, ` + realOutside + `}`)},
		"preprocessor_config.json": {Data: []byte(realPicture)},
		"processor_config.json":    {Data: []byte(realProcessor)},
	}
}

func TestReadRealConfigs(t *testing.T) {
	for _, test := range []struct {
		text                                                      string
		hidden, intermediate, layers, heads, kv, headDim, globals int
		scalar                                                    float64
	}{
		{real4B, 2560, 10240, 34, 8, 4, 256, 5, 256},
		{real12B, 3840, 15360, 48, 16, 8, 256, 8, 256},
		{real27B, 5376, 21504, 62, 32, 16, 128, 10, 168},
	} {
		c, err := readConfig(realFolder(test.text))
		require.NoError(t, err)
		x := c.Text
		assert.Equal(t, []int{test.hidden, test.intermediate, test.layers, test.heads, test.kv, test.headDim},
			[]int{x.Hidden, x.Intermediate, x.Layers, x.Heads, x.KVHeads, x.HeadDim})
		assert.Equal(t, 262_208, x.Vocabulary)
		assert.Equal(t, 1e-6, x.Epsilon)
		assert.InDelta(t, test.scalar, 1/(x.AttentionScale*x.AttentionScale), 1e-9)
		assert.Equal(t, []int{1024, 1024, 1024, 1024, 1024, 0, 1024}, x.Windows[:7])
		assert.Equal(t, []decoder.Rotary{{Theta: 1e4, Factor: 1}, {Theta: 1e6, Factor: 8}, {Theta: 1e4, Factor: 1}}, x.Rotary[4:7])
		assert.Len(t, slices.DeleteFunc(x.Windows, func(w int) bool { return w != 0 }), test.globals)
		assert.True(t, x.TiedHead)
		assert.InDelta(t, math.Sqrt(float64(test.hidden)), x.EmbedScale, 1e-9)
		assert.Equal(t, []int{64, 4}, []int{c.Vision.patches(), c.window()})
		assert.Equal(t, 896, c.Picture.Size.Height)
	}
}

// TestReadNewerConfig reads what version 5 makes of the 4B's files.
func TestReadNewerConfig(t *testing.T) {
	files := realFolder(real4B)
	older, err := readConfig(files)
	require.NoError(t, err)
	kinds := strings.Repeat(`"sliding_attention", `, 5) + `"full_attention", `
	kinds = strings.Repeat(kinds, 5) + strings.TrimSuffix(strings.Repeat(`"sliding_attention", `, 4), ", ")
	files["config.json"].Data = []byte(`{"text_config": {"_sliding_window_pattern": 7, "layer_types": [` + kinds + `],
		"attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": null, "bos_token_id": 2, "dtype": "bfloat16",
		"eos_token_id": 1, "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 2560,
		"initializer_range": 0.02, "intermediate_size": 10240, "max_position_embeddings": 131072, "model_type": "gemma3_text",
		"num_attention_heads": 8, "num_hidden_layers": 34, "num_key_value_heads": 4, "pad_token_id": 0, "query_pre_attn_scalar": 256,
		"rms_norm_eps": 1e-06, "rope_parameters": {"full_attention": {"factor": 8.0, "rope_theta": 1000000.0, "rope_type": "linear"},
			"sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"}},
		"sliding_window": 1024, "tie_word_embeddings": true, "use_bidirectional_attention": false, "use_cache": true, "vocab_size": 262208
		}, "tie_word_embeddings": true, ` + realOutside + `}`)
	files["processor_config.json"].Data = []byte(`{"image_processor": ` + realPicture + `, "image_seq_length": 256}`)
	delete(files, "preprocessor_config.json")
	newer, err := readConfig(files)
	require.NoError(t, err)
	assert.Equal(t, older.Text, newer.Text)
	assert.Equal(t, older.Picture, newer.Picture)
	assert.Equal(t, older.Vision, newer.Vision)
}

// TestReadEmptyConfig fills everything in.
func TestReadEmptyConfig(t *testing.T) {
	files := fstest.MapFS{"config.json": {Data: []byte(`{}`)}, "preprocessor_config.json": {Data: []byte(`{}`)}}
	_, err := readConfig(files) // 14 x 14 patches are not 16 x 16 tokens
	require.ErrorContains(t, err, "mm_tokens_per_image")
	files["config.json"].Data = []byte(`{"mm_tokens_per_image": 49}`)
	files["processor_config.json"] = &fstest.MapFile{Data: []byte(`{"image_seq_length": 49}`)}
	c, err := readConfig(files)
	require.NoError(t, err)
	assert.Equal(t, []int{26, 2304, 9216, 8, 4, 256, 262_208},
		[]int{c.Text.Layers, c.Text.Hidden, c.Text.Intermediate, c.Text.Heads, c.Text.KVHeads, c.Text.HeadDim, c.Text.Vocabulary})
	assert.Equal(t, []int{4096, 0, 4096}, c.Text.Windows[4:7])
	assert.Equal(t, []int{12, 768, 3072, 12}, []int{c.Vision.Layers, c.Vision.Hidden, c.Vision.Intermediate, c.Vision.Heads})
	assert.Equal(t, []int{224, 2}, []int{c.Picture.Size.Width, c.window()})
}

func TestTied(t *testing.T) {
	for _, text := range []string{real4B, strings.TrimSuffix(real4B, "}") + `, "tie_word_embeddings": false}`} {
		c, err := readConfig(realFolder(text))
		require.NoError(t, err)
		assert.Equal(t, text == real4B, c.Text.TiedHead)
	}
}

// replace changes text in a file.
func replace(t *testing.T, files fstest.MapFS, name, old, new string) {
	t.Helper()
	require.Contains(t, string(files[name].Data), old)
	files[name] = &fstest.MapFile{Data: []byte(strings.Replace(string(files[name].Data), old, new, 1))}
}

const window = `"sliding_window": 1024`

// badFields are settings of the 4B's folder, each replaced by another, and what the
// error names.
var badFields = []struct{ file, old, new, names string }{
	{config, `"model_type": "gemma3"`, `"model_type": "gemma3n"`, "model_type"},
	{config, `["Gemma3ForConditionalGeneration"]`, `["Gemma3ForCausalLM"]`, "architectures"},
	{config, `"mm_tokens_per_image": 256`, `"mm_tokens_per_image": 0`, "mm_tokens_per_image"},
	{config, `"mm_tokens_per_image": 256`, `"mm_tokens_per_image": 200`, "mm_tokens_per_image"},
	{config, `"mm_tokens_per_image": 256`, `"mm_tokens_per_image": 16384`, "mm_tokens_per_image"},
	{config, `"boi_token_index": 255999`, `"boi_token_index": -1`, "boi_token_index"},
	{config, `"image_token_index": 262144`, `"image_token_index": 262208`, "image_token_index"},
	{config, `"initializer_range": 0.02`, `"quantization_config": {}`, "quantization_config"},
	{config, window, `"sliding_window": null`, "sliding_window"},
	{config, window, `"sliding_window": 0`, "sliding_window"},
	{config, window, window + `, "sliding_window_pattern": 0`, "sliding_window_pattern"},
	{config, window, window + `, "layer_types": ["full_attention"]`, "layer_types"},
	{config, window, window + `, "hidden_activation": "relu"`, "hidden_act"},
	{config, window, window + `, "attn_logit_softcapping": 50.0`, "attn_logit_softcapping"},
	{config, window, window + `, "final_logit_softcapping": 30.0`, "final_logit_softcapping"},
	{config, window, window + `, "use_bidirectional_attention": true`, "use_bidirectional_attention"},
	{config, window, window + `, "vocab_size": -1`, "vocab_size"},
	{config, window, window + `, "head_dim": 255`, "head_dim"},
	{config, window, window + `, "num_key_value_heads": 3`, "num_key_value_heads"},
	{config, window, window + `, "num_attention_heads": 2000000000`, "num_attention_heads"},
	{config, window, window + `, "rms_norm_eps": 0`, "rms_norm_eps"},
	{config, window, window + `, "query_pre_attn_scalar": 0`, "query_pre_attn_scalar"},
	{config, window, window + `, "rope_theta": 0`, "rope_theta"},
	{config, window, window + `, "num_experts": 8`, "num_experts"},
	{config, `"rope_type": "linear"`, `"rope_type": "yarn"`, "rope_type"},
	{config, `"factor": 8.0, `, ``, "factor"},
	{config, `"factor": 8.0`, `"factor": -8.0`, "factor"},
	{config, `"factor": 8.0`, `"factor": 8.0, "beta_fast": 1`, "beta_fast"},
	{config, `"hidden_size": 1152`, `"hidden_size": 1150`, "vision_config"},
	{config, `"image_size": 896`, `"image_size": [896, 896]`, "image_size"},
	{config, `"patch_size": 14`, `"patch_size": 0`, "patch_size"},
	{config, `"patch_size": 14`, `"patch_size": 14, "hidden_act": "tanh"`, "hidden_act"},
	{config, `"patch_size": 14`, `"patch_size": 14, "num_channels": 4`, "num_channels"},
	{pictures, `"do_resize": true`, `"do_resize": false`, "do_resize"},
	{pictures, `"do_pan_and_scan": null`, `"do_pan_and_scan": true`, "do_pan_and_scan"},
	{pictures, `"resample": 2`, `"resample": 1`, "resample"},
	{pictures, `"size": {"height": 896, "width": 896}`, `"size": {"height": 896, "width": 448}`, "size.width"},
	{pictures, `"size": {"height": 896, "width": 896}`, `"size": {"shortest_edge": 896}`, "shortest_edge"},
	{pictures, `"image_mean": [0.5, 0.5, 0.5]`, `"image_mean": []`, "image_mean"},
	{pictures, `"image_std": [0.5, 0.5, 0.5]`, `"image_std": [0.5, 0, 0.5]`, "image_std"},
	{pictures, `"rescale_factor": 0.00392156862745098`, `"rescale_factor": 1`, "rescale_factor"},
	{processor, `"image_seq_length": 256`, `"image_seq_length": 64`, "image_seq_length"},
	{processor, `"image_seq_length": 256`, `"image_sequence": 256`, "image_sequence"},
	{processor, `{`, `{"image_processor": {"do_rescale": false}, `, "do_rescale"},
}

func TestReadConfigRefuses(t *testing.T) {
	for _, test := range badFields {
		t.Run(test.file+" "+test.new, func(t *testing.T) {
			files := realFolder(real4B)
			replace(t, files, test.file, test.old, test.new)
			_, err := readConfig(files)
			require.ErrorContains(t, err, test.names)
			require.ErrorContains(t, err, test.file)
		})
	}
	files := realFolder(real4B)
	replace(t, files, config, window, window+`, "vocab_size": -1`)
	_, err := readConfig(files)
	require.ErrorIs(t, err, hf.ErrConfig)
}
