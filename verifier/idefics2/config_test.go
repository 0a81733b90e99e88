package idefics2

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// published is what the 8B's config.json says, as transformers 4.40 wrote it.
const published = `{"architectures": ["Idefics2ForConditionalGeneration"], "image_token_id": 32001, "initializer_range": 0.02,
	"model_type": "idefics2",
	"perceiver_config": {"_name_or_path": "", "add_cross_attention": false, "architectures": null, "attention_dropout": 0.0,
		"bad_words_ids": null, "chunk_size_feed_forward": 0, "hidden_act": "silu", "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
		"model_type": "idefics2", "num_key_value_heads": 4, "pruned_heads": {}, "resampler_depth": 3, "resampler_head_dim": 96,
		"resampler_n_heads": 16, "resampler_n_latents": 64, "top_k": 50, "typical_p": 1.0, "use_bfloat16": false},
	"text_config": {"max_position_embeddings": 32768, "model_type": "mistral", "pad_token_id": 0, "rms_norm_eps": 1e-05,
		"torch_dtype": "bfloat16", "vocab_size": 32003},
	"tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.40.0.dev0", "use_cache": true,
	"vision_config": {"hidden_size": 1152, "image_size": 980, "intermediate_size": 4304, "model_type": "idefics2",
		"num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14}}`

// newer is a small model as transformers 5.23 writes it, all in two files.
var newer = fstest.MapFS{
	"config.json": {Data: []byte(`{"architectures": ["Idefics2ForConditionalGeneration"], "dtype": "float32", "image_token_id": 821,
		"initializer_range": 0.02, "model_type": "idefics2",
		"perceiver_config": {"attention_dropout": 0.0, "dtype": "float32", "hidden_act": "silu", "hidden_size": 64,
			"initializer_range": 0.02, "model_type": "idefics2_perceiver", "num_key_value_heads": 2, "resampler_depth": 2,
			"resampler_head_dim": 12, "resampler_n_heads": 4, "resampler_n_latents": 8, "rms_norm_eps": 1e-06},
		"text_config": {"attention_dropout": 0.0, "bos_token_id": 1, "dtype": "float32", "eos_token_id": 2, "head_dim": 16,
			"hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 112,
			"max_position_embeddings": 32768, "model_type": "mistral", "num_attention_heads": 4, "num_hidden_layers": 3,
			"num_key_value_heads": 2, "pad_token_id": 0, "rms_norm_eps": 1e-05,
			"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}, "sliding_window": 24,
			"tie_word_embeddings": false, "use_cache": true, "vocab_size": 832},
		"tie_word_embeddings": false, "transformers_version": "5.23.0", "use_cache": true,
		"vision_config": {"attention_dropout": 0.0, "dtype": "float32", "hidden_act": "gelu_pytorch_tanh", "hidden_size": 48,
			"image_size": 98, "initializer_range": 0.02, "intermediate_size": 100, "layer_norm_eps": 1e-06,
			"model_type": "idefics2_vision", "num_attention_heads": 4, "num_channels": 3, "num_hidden_layers": 4, "patch_size": 14}}`)},
	"processor_config.json": {Data: []byte(`{"image_processor": {"do_convert_rgb": true, "do_image_splitting": true,
		"do_normalize": true, "do_pad": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5],
		"image_processor_type": "Idefics2ImageProcessor", "image_std": [0.5, 0.5, 0.5], "resample": 2,
		"rescale_factor": 0.00392156862745098, "size": {"longest_edge": 980, "shortest_edge": 378}},
		"image_seq_len": 8, "processor_class": "Idefics2Processor"}`)},
}

func TestReadPublishedConfig(t *testing.T) {
	c, err := readConfig(fstest.MapFS{
		"config.json":              {Data: []byte(published)},
		"preprocessor_config.json": {Data: []byte(`{"do_image_splitting": true}`)},
		"processor_config.json":    {Data: []byte(`{"image_seq_len": 64, "processor_class": "Idefics2Processor"}`)},
	})
	require.NoError(t, err)
	x := c.Text
	require.Equal(t, []int{4096, 14336, 32, 32, 8, 128, 32003}, []int{x.Hidden, x.Intermediate, x.Layers, x.Heads, x.KVHeads, x.HeadDim, x.Vocabulary})
	require.Equal(t, 4096, x.Windows[0], "the default of Mistral")
	require.Equal(t, 70, c.Vision.side())
	require.Equal(t, 1e-6, c.Resampler.Epsilon)
	require.Equal(t, sizeRule{Shortest: 378, Longest: 980}, *c.Picture.Size)
}

// TestReadConfigOfEveryVersion compares a small model's configuration in the files
// of both versions.
func TestReadConfigOfEveryVersion(t *testing.T) {
	older, err := readConfig(vlmtest.Files(t, name))
	require.NoError(t, err)
	same, err := readConfig(newer)
	require.NoError(t, err)
	require.Equal(t, older.Text, same.Text)
	require.Equal(t, *older.Picture.Size, *same.Picture.Size)
	require.Equal(t, older.Resampler.Epsilon, same.Resampler.Epsilon)
}

// TestResamplerOfAnotherWidth has a width that is not the language model's: the
// latter's counts, with its epsilon.
func TestResamplerOfAnotherWidth(t *testing.T) {
	files := vlmtest.Files(t, name)
	vlmtest.Set(t, files, "config.json", "perceiver_config.hidden_size", 4096)
	vlmtest.Set(t, files, "config.json", "text_config.rms_norm_eps", 3e-5)
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, c.Text.Hidden, c.Resampler.Hidden)
	require.Equal(t, 3e-5, c.Resampler.Epsilon)
}

const config, picture, processor = "config.json", "preprocessor_config.json", "processor_config.json"

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{config, "architectures", []string{"LlavaForConditionalGeneration"}},
	{config, "model_type", "idefics3"},
	{config, "image_token_id", -1},
	{config, "image_token_id", 1 << 20},
	{config, "quantization_config", map[string]any{"bits": 4}},
	{config, "text_config.model_type", "gpt2"},
	{config, "text_config.model_type", "llama"},
	{config, "vision_config.model_type", "siglip_vision_model"},
	{config, "text_config.num_hidden_layers", -1},
	{config, "text_config.unheard_of", 1},
	{config, "vision_config.num_hidden_layers", 2_000_000_000},
	{config, "vision_config.num_attention_heads", 5},
	{config, "vision_config.num_attention_heads", 0},
	{config, "vision_config.patch_size", 0},
	{config, "vision_config.image_size", 7},
	{config, "vision_config.num_channels", 4},
	{config, "vision_config.hidden_act", "tanh"},
	{config, "vision_config.layer_norm_eps", 0},
	{config, "perceiver_config.resampler_n_latents", 0},
	{config, "perceiver_config.num_key_value_heads", 3},
	{config, "perceiver_config.resampler_head_dim", 1 << 20},
	{config, "perceiver_config.hidden_act", "mish"},
	{picture, "size", map[string]any{"shortest_edge": 378}},
	{picture, "size", map[string]any{"height": 0, "width": 10}},
	{picture, "size", map[string]any{"longest_edge": 1 << 20, "shortest_edge": 378}},
	{picture, "do_resize", false},
	{picture, "resample", 1},
	{picture, "image_std", []int{0, 0, 0}},
	{processor, "image_seq_len", 9},
}

func TestReadConfigRefuses(t *testing.T) {
	sound := vlmtest.Files(t, name)
	vlmtest.TestFiles(t, sound, readConfig, config, picture)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{ // unknown, or of another type
		{config, "pixel_shuffle", 2},
		{config, "vision_config.hidden_size", "48"},
		{config, "vision_config.rope_theta", 1e4},
		{config, "perceiver_config.qk_layer_norms", true},
		{picture, "crop_pct", 0.9},
		{processor, "image_sequence", 8},
	})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, refused)
}

func TestSizeRule(t *testing.T) {
	fixed := sizeRule{Height: 56, Width: 84}
	require.Equal(t, vision.Size{Height: 56, Width: 84}, fixed.target(vision.Size{Height: 3000, Width: 1}))
	edges := sizeRule{Shortest: 30, Longest: 70} // others than the published ones
	for _, test := range [][2]vision.Size{
		{{Height: 20, Width: 100}, {Height: 30, Width: 70}},
		{{Height: 100, Width: 90}, {Height: 70, Width: 63}},
		{{Height: 1, Width: 1 << 20}, {Height: 30, Width: 70}},
	} {
		require.Equal(t, test[1], edges.target(test[0]))
	}
}

// TestBuckets has counts that the table of the fixtures does not hold: more patches
// than places.
func TestBuckets(t *testing.T) {
	require.Equal(t, []int32{0, 0, 0}, buckets(3, 1))
	require.Equal(t, []int32{0, 0, 1, 1}, buckets(4, 2))
	last := buckets(1000, 70)
	require.Len(t, last, 1000)
	require.EqualValues(t, 69, last[999])
}
