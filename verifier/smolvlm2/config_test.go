package smolvlm2

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// smolvlm256M is what SmolVLM2-256M-Video-Instruct's config.json says, as transformers
// 4.47 wrote it.
const smolvlm256M = `{"architectures": ["SmolVLMForConditionalGeneration"], "image_token_id": 49190, "model_type": "smolvlm",
	"pad_token_id": 128002, "scale_factor": 4,
	"text_config": {"_flash_attn_2_enabled": true, "_name_or_path": "None", "architectures": ["VLlama3ForCausalLM"], "head_dim": 64,
		"hidden_size": 576, "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192, "model_type": "llama",
		"neftune_noise_alpha": 0.0, "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pad_token_id": 2,
		"perceiver_config": {"attention_dropout": 0.0, "hidden_act": "silu", "model_type": "vllama3", "num_key_value_heads": 1,
			"qk_layer_norms_perceiver": false, "resampler_depth": 6, "resampler_head_dim": 96, "resampler_n_heads": 16, "resampler_n_latents": 64},
		"pixel_shuffle_factor": 4, "qk_layer_norms": false, "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_theta": 100000,
		"torch_dtype": "bfloat16", "transformers.js_config": {"kv_cache_dtype": {"fp16": "float16"}}, "use_resampler": false, "vocab_size": 49280},
	"tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers.js_config": {"kv_cache_dtype": {"fp16": "float16"}},
	"transformers_version": "4.47.1", "use_cache": false, "use_reentrant_checkpointing": false,
	"vision_config": {"hidden_size": 768, "image_size": 512, "max_image_size": {"longest_edge": 512}, "model_type": "smolvlm_vision",
		"num_attention_heads": 12, "patch_size": 16, "size": {"longest_edge": 2048}, "tie_word_embeddings": false, "use_base_siglip": false},
	"vocab_size": 49280}`

// idefics3 is what Idefics3-8B-Llama3's config.json says, as transformers 4.46 wrote it.
const idefics3 = `{"architectures": ["Idefics3ForConditionalGeneration"], "image_token_id": 128257, "model_type": "idefics3", "scale_factor": 2,
	"text_config": {"_flash_attn_2_enabled": true, "architectures": ["VLlama3ForCausalLM"], "bos_token_id": 128000, "eos_token_id": 128001,
		"hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 10240, "model_type": "llama", "neftune_noise_alpha": 0.0,
		"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "pad_token_id": 128002, "pixel_shuffle_factor": 2,
		"qk_layer_norms": false, "rms_norm_eps": 1e-05, "rope_theta": 500000.0, "torch_dtype": "bfloat16", "use_cache": false,
		"use_resampler": false, "vocab_size": 128259},
	"torch_dtype": "bfloat16", "transformers_version": "4.46.0.dev0", "use_cache": true,
	"vision_config": {"hidden_size": 1152, "image_size": 364, "intermediate_size": 4304, "model_type": "idefics3", "num_attention_heads": 16,
		"num_hidden_layers": 27, "patch_size": 14}}`

// processors are preprocessor_config.json and processor_config.json of a checkpoint.
func processors(kind, size, tile, vectors string) fstest.MapFS {
	return fstest.MapFS{
		picture: {Data: []byte(`{"do_convert_rgb": true, "do_image_splitting": true, "do_normalize": true, "do_pad": true, "do_rescale": true,
			"do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "` + kind + `ImageProcessor", "image_std": [0.5, 0.5, 0.5],
			"max_image_size": {"longest_edge": ` + tile + `}, "processor_class": "` + kind + `Processor", "resample": 1,
			"rescale_factor": 0.00392156862745098, "size": {"longest_edge": ` + size + `},
			"video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": ` + tile + `}}}`)},
		processor: {Data: []byte(`{"image_seq_len": ` + vectors + `, "processor_class": "` + kind + `Processor"}`)},
	}
}

// TestReadPublishedConfigs: the published checkpoints, of which most differ from the
// smallest in some fields.
func TestReadPublishedConfigs(t *testing.T) {
	type changes map[string]any
	larger := changes{ // of both of 2.2 billion
		"scale_factor": 3, "text_config.hidden_size": 2048, "text_config.intermediate_size": 8192, "text_config.num_attention_heads": 32,
		"text_config.num_key_value_heads": 32, "text_config.num_hidden_layers": 24, "text_config.rope_theta": 273768.0,
		"text_config.max_position_embeddings": 16384, "text_config.pixel_shuffle_factor": 3, "vision_config.hidden_size": 1152,
		"vision_config.image_size": 384, "vision_config.intermediate_size": 4304, "vision_config.num_attention_heads": 16,
		"vision_config.num_hidden_layers": 27, "vision_config.patch_size": 14, "vision_config.max_image_size": map[string]any{"longest_edge": 384},
	}
	medium := changes{
		"text_config.hidden_size": 960, "text_config.intermediate_size": 2560, "text_config.num_attention_heads": 15,
		"text_config.num_key_value_heads": 5, "text_config.num_hidden_layers": 32,
	}
	for name, test := range map[string]struct {
		config, size, tile, vectors string
		changes                     changes
		want                        []int // of the text, then of the tower: width, inner width, layers, heads
	}{
		"SmolVLM2-256M": {smolvlm256M, "2048", "512", "64", nil, []int{576, 1536, 30, 9, 768, 3072, 12, 12}},
		"SmolVLM2-500M": {smolvlm256M, "2048", "512", "64", medium, []int{960, 2560, 32, 15, 768, 3072, 12, 12}},
		"SmolVLM2-2.2B": {smolvlm256M, "1536", "384", "81", larger, []int{2048, 8192, 24, 32, 1152, 4304, 27, 16}},
		"SmolVLM":       {smolvlm256M, "1536", "384", "81", larger, []int{2048, 8192, 24, 32, 1152, 4304, 27, 16}},
		"Idefics3":      {idefics3, "1456", "364", "169", nil, []int{4096, 14336, 32, 32, 1152, 4304, 27, 16}},
	} {
		t.Run(name, func(t *testing.T) {
			kind := map[bool]string{true: "Idefics3", false: "SmolVLM"}[name == "Idefics3" || name == "SmolVLM"]
			files := processors(kind, test.size, test.tile, test.vectors)
			files[config] = &fstest.MapFile{Data: []byte(test.config)}
			for path, value := range test.changes {
				vlmtest.Set(t, files, config, path, value)
			}
			if name == "SmolVLM" { // of Idefics3's class
				vlmtest.Set(t, files, config, "architectures", []string{"Idefics3ForConditionalGeneration"})
				vlmtest.Set(t, files, config, "model_type", "idefics3")
				vlmtest.Set(t, files, config, "vision_config.model_type", "idefics3")
			}
			c, err := readConfig(files)
			require.NoError(t, err)
			x, v := c.Text, c.Vision
			require.Equal(t, test.want, []int{x.Hidden, x.Intermediate, x.Layers, x.Heads, v.Hidden, v.Intermediate, v.Layers, v.Heads})
			require.Equal(t, hf.Lanczos, c.Picture.Resample)
			require.False(t, c.Text.TiedHead)
		})
	}
}

// TestReadConfigOfVersion5 has all of the processor in one file, and what transformers
// fills in.
func TestReadConfigOfVersion5(t *testing.T) {
	files := fstest.MapFS{
		config: {Data: []byte(`{"model_type": "smolvlm", "tie_word_embeddings": true, "text_config": {"model_type": "llama", "dtype": "float32",
			"tie_word_embeddings": false, "rope_parameters": {"rope_theta": 5.0e4, "rope_type": "default"}, "vocab_size": 130000}, "scale_factor": 2,
			"vision_config": {"model_type": "smolvlm_vision", "image_size": 364, "patch_size": 14}}`)},
		processor: {Data: []byte(`{"image_processor": {"do_image_splitting": false, "return_row_col_info": null, "size": {"longest_edge": 1456},
			"data_format": "channels_first", "image_processor_type": "SmolVLMImageProcessor"}, "processor_class": "SmolVLMProcessor",
			"video_processor": {"fps": 1, "max_frames": 64}}`)},
	}
	c, err := readConfig(files)
	require.NoError(t, err)
	require.True(t, c.Text.TiedHead, "the field of the whole model counts")
	require.Equal(t, 5e4, c.Text.Rotary[0].Theta)
	require.Equal(t, []int{1456, 364, 169}, []int{c.Picture.Size.Longest, c.Picture.Tile.Longest, c.vectors()})
	require.Equal(t, []int{1152, 3072, 12, 16}, []int{c.Vision.Hidden, c.Vision.Intermediate, c.Vision.Layers, c.Vision.Heads})

	vlmtest.Set(t, files, config, "text_config", vlmtest.Absent{})
	vlmtest.Set(t, files, config, "image_token_id", 1)
	c, err = readConfig(files)
	require.NoError(t, err)
	require.Equal(t, []any{1e-5, 32000}, []any{c.Text.Epsilon, c.Text.Vocabulary})
}

const config, picture, processor = "config.json", "preprocessor_config.json", "processor_config.json"

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{config, "architectures", []string{"Idefics2ForConditionalGeneration"}},
	{config, "architectures", []string{"Idefics3ForConditionalGeneration"}}, // model_type says SmolVLM
	{config, "model_type", "idefics2"},
	{config, "image_token_id", -1},
	{config, "image_token_id", 1 << 20},
	{config, "scale_factor", 0},
	{config, "scale_factor", 4},
	{config, "quantization_config", map[string]any{"bits": 4}},
	{config, "text_config.model_type", "mistral"},
	{config, "text_config.num_hidden_layers", -1},
	{config, "text_config.qk_layer_norms", true},
	{config, "text_config.use_resampler", true},
	{config, "text_config.rope_interleaved", true},
	{config, "text_config.rope_scaling", map[string]any{"rope_type": "llama3", "factor": 8}},
	{config, "vision_config.model_type", "siglip_vision_model"},
	{config, "vision_config.num_hidden_layers", 2_000_000_000},
	{config, "vision_config.num_attention_heads", 5},
	{config, "vision_config.patch_size", 0},
	{config, "vision_config.num_channels", 4},
	{config, "vision_config.hidden_act", "tanh"},
	{config, "vision_config.layer_norm_eps", 0},
	{picture, "size.longest_edge", 0},
	{picture, "size.longest_edge", 4097},
	{picture, "max_image_size.longest_edge", 41},
	{picture, "max_image_size.longest_edge", 1 << 20},
	{picture, "do_resize", false},
	{picture, "resample", 0},
	{picture, "image_std", []int{0, 0, 0}},
	{processor, "image_seq_len", 9},
}

func TestReadConfigRefuses(t *testing.T) {
	sound := vlmtest.Files(t, name)
	vlmtest.TestFiles(t, sound, readConfig, config, picture)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{
		{config, "pixel_shuffle", 2}, // unknown, or of another type
		{config, "text_config", []int{}},
		{config, "text_config.tail", 2},
		{config, "vision_config.hidden_size", "48"},
		{config, "vision_config.rope_theta", 1e4},
		{picture, "size.height", 100},
		{picture, "crop_pct", 0.9},
		{processor, "image_sequence", 8},
	})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, refused)
}

func TestSizeRule(t *testing.T) {
	c := pictureConfig{Size: edge{171}, Tile: edge{86}} // whose longest edge is odd
	require.Equal(t, vision.Size{Height: 172, Width: 171}, c.fit(vision.Size{Height: 50, Width: 50}))
	require.Equal(t, vision.Size{Height: 172, Width: 172}, c.cover(vision.Size{Height: 172, Width: 171}))
	small := &network{split: true, config: modelConfig{Picture: pictureConfig{Size: edge{80}, Tile: edge{86}}}}
	require.Equal(t, view{steps: []vision.Size{{Height: 40, Width: 80}}}, small.view(vision.Size{Height: 10, Width: 20}), "it fits into a tile")
}
