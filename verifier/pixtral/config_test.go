package pixtral

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// published is what the 12B's config.json says, as transformers 4.45 wrote it.
const published = `{"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_seq_length": 1,
	"image_token_index": 10, "model_type": "llava", "projector_hidden_act": "gelu",
	"text_config": {"head_dim": 128, "hidden_size": 5120, "intermediate_size": 14336, "is_composition": true,
		"max_position_embeddings": 1024000, "model_type": "mistral", "num_hidden_layers": 40, "rms_norm_eps": 1e-05,
		"rope_theta": 1000000000.0, "sliding_window": null, "vocab_size": 131072},
	"torch_dtype": "bfloat16", "transformers_version": "4.45.0.dev0",
	"vision_config": {"head_dim": 64, "hidden_act": "silu", "image_size": 1024, "is_composition": true, "model_type": "pixtral",
		"patch_size": 16, "rope_theta": 10000.0, "tie_word_embeddings": false},
	"vision_feature_layer": -1, "vision_feature_select_strategy": "full"}`

// newer is a small model as transformers 5.23 writes it, all in two files.
var newer = fstest.MapFS{
	"config.json": {Data: []byte(`{"architectures": ["LlavaForConditionalGeneration"], "dtype": "float32", "ignore_index": -100,
		"image_seq_length": 1, "image_token_index": 10, "model_type": "llava", "multimodal_projector_bias": true,
		"projector_hidden_act": "gelu",
		"text_config": {"attention_dropout": 0.0, "bos_token_id": 1, "dtype": "float32", "eos_token_id": 2, "head_dim": 20,
			"hidden_act": "silu", "hidden_size": 64, "initializer_range": 0.02, "intermediate_size": 112, "is_composition": true,
			"max_position_embeddings": 1024000, "model_type": "mistral", "num_attention_heads": 4, "num_hidden_layers": 3,
			"num_key_value_heads": 2, "pad_token_id": null, "rms_norm_eps": 1e-05,
			"rope_parameters": {"rope_theta": 1000000000.0, "rope_type": "default"}, "sliding_window": null,
			"tie_word_embeddings": false, "use_cache": true, "vocab_size": 736},
		"tie_word_embeddings": false, "transformers_version": "5.23.0",
		"vision_config": {"attention_dropout": 0.0, "dtype": "float32", "head_dim": 12, "hidden_act": "silu", "hidden_size": 48,
			"image_size": 128, "initializer_range": 0.02, "intermediate_size": 100, "is_composition": true,
			"model_type": "pixtral", "num_attention_heads": 4, "num_channels": 3, "num_hidden_layers": 4, "patch_size": 16,
			"rope_parameters": {"rope_theta": 10000.0, "rope_type": "axial"}, "tie_word_embeddings": false},
		"vision_feature_layer": -1, "vision_feature_select_strategy": "full"}`)},
	"processor_config.json": {Data: []byte(`{"image_break_token": "[IMG_BREAK]", "image_end_token": "[IMG_END]",
		"image_processor": {"do_convert_rgb": true, "do_normalize": true, "do_pad": true, "do_rescale": true, "do_resize": true,
			"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "PixtralImageProcessor",
			"image_std": [0.26862954, 0.26130258, 0.27577711], "patch_size": {"height": 16, "width": 16}, "resample": 3,
			"rescale_factor": 0.00392156862745098, "size": {"longest_edge": 1024}},
		"image_token": "[IMG]", "patch_size": 16, "processor_class": "PixtralProcessor", "spatial_merge_size": 1}`)},
}

func TestReadPublishedConfig(t *testing.T) {
	c, err := readConfig(fstest.MapFS{
		"config.json":              {Data: []byte(published)},
		"preprocessor_config.json": {Data: []byte(`{}`)},
	})
	require.NoError(t, err)
	x, v := c.Text, c.Vision
	require.Equal(t, []int{5120, 14336, 40, 32, 8, 128, 131072}, []int{x.Hidden, x.Intermediate, x.Layers, x.Heads, x.KVHeads, x.HeadDim, x.Vocabulary})
	require.Equal(t, 0, x.Windows[0])
	require.Equal(t, []int{1024, 4096, 24, 16, 16}, []int{v.Hidden, v.Intermediate, v.Layers, v.Heads, v.PatchSize})
	require.Equal(t, vision.PixtralSize{Longest: 1024}, *c.Picture.Size)
	require.True(t, c.ProjectorBias)
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
	require.Equal(t, older.Vision.Base(), same.Vision.Base())
	require.Equal(t, older.ImageToken, same.ImageToken)

	files := vlmtest.Files(t, name) // by its other name
	vlmtest.Set(t, files, "config.json", "image_token_id", older.ImageToken)
	vlmtest.Set(t, files, "config.json", "image_token_index", vlmtest.Absent{})
	same, err = readConfig(files)
	require.NoError(t, err)
	require.Equal(t, older.ImageToken, same.ImageToken)
}

const config, picture, processor = "config.json", "preprocessor_config.json", "processor_config.json"

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{config, "architectures", []string{"Mistral3ForConditionalGeneration"}},
	{config, "model_type", "mistral3"},
	{config, "image_token_index", 1 << 20},
	{config, "projector_hidden_act", "tanh"},
	{config, "vision_feature_layer", -2},
	{config, "vision_feature_select_strategy", "default"},
	{config, "quantization_config", map[string]any{"bits": 4}},
	{config, "text_config.model_type", "gpt2"},
	{config, "text_config.num_hidden_layers", 0},
	{config, "text_config.unheard_of", 1},
	{config, "vision_config.model_type", "clip_vision_model"},
	{config, "vision_config.num_hidden_layers", 2_000_000_000},
	{config, "vision_config.num_attention_heads", 5},
	{config, "vision_config.num_attention_heads", 0},
	{config, "vision_config.num_attention_heads", 48},
	{config, "vision_config.head_dim", 16},
	{config, "vision_config.patch_size", 0},
	{config, "vision_config.num_channels", 1},
	{config, "vision_config.hidden_act", "tanh"},
	{config, "vision_config.rope_theta", -1},
	{config, "vision_config.rope_parameters", map[string]any{"rope_type": "yarn"}},
	{picture, "size", map[string]any{"longest_edge": 1 << 20}},
	{picture, "size", map[string]any{"height": 100}},
	{picture, "do_center_crop", true},
	{picture, "do_rescale", false},
	{picture, "resample", 1},
	{picture, "image_mean", []int{0}},
	{processor, "patch_size", 14},
	{processor, "spatial_merge_size", 2},
}

func TestReadConfigRefuses(t *testing.T) {
	sound := vlmtest.Files(t, name)
	vlmtest.TestFiles(t, sound, readConfig, config, picture)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{ // unknown, or of another type
		{config, "vision_feature_layer", []int{-2, -1}},
		{config, "spatial_merge_size", 2},
		{config, "vision_config.hidden_size", "48"},
		{config, "vision_config.layer_norm_eps", 1e-5},
		{picture, "size.shortest_edge", 378},
		{processor, "image_tokens", 8},
	})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, refused)
}
