package llava

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// The files of llava-hf/llava-1.5-7b-hf as version 4 of transformers wrote them.
// The 13B's text_config differs in its sizes.
const (
	realText7B  = `{"_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 4096, "model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 32064}`
	realText13B = `{"_name_or_path": "lmsys/vicuna-13b-v1.5", "architectures": ["LlamaForCausalLM"], "hidden_size": 5120, "intermediate_size": 13824, "max_position_embeddings": 4096, "model_type": "llama", "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 40, "rms_norm_eps": 1e-05, "torch_dtype": "float16", "vocab_size": 32064}`
	realOutside = `"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 32000, "model_type": "llava", "pad_token_id": 32001,
		"projector_hidden_act": "gelu", "tie_word_embeddings": false, "torch_dtype": "float16", "transformers_version": "4.36.0.dev0",
		"vision_config": {"hidden_size": 1024, "image_size": 336, "intermediate_size": 4096, "model_type": "clip_vision_model", "num_attention_heads": 16,
			"num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768, "vocab_size": 32000},
		"vision_feature_layer": -2, "vision_feature_select_strategy": "default", "vocab_size": 32064`
	realPicture = `{"crop_size": {"height": 336, "width": 336}, "do_center_crop": true, "do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true,
		"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "CLIPImageProcessor", "image_std": [0.26862954, 0.26130258, 0.27577711],
		"processor_class": "LlavaProcessor", "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 336}}`
	realProcessor = `{"image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 14, "processor_class": "LlavaProcessor", "vision_feature_select_strategy": "default"}`
)

func realFolder(text string) fstest.MapFS {
	return fstest.MapFS{
		config:    {Data: []byte(`{"text_config": ` + text + `, ` + realOutside + `}`)},
		pictures:  {Data: []byte(realPicture)},
		processor: {Data: []byte(realProcessor)},
	}
}

func TestReadRealConfigs(t *testing.T) {
	for text, want := range map[string][]int{realText7B: {4096, 11008, 32, 32, 128}, realText13B: {5120, 13824, 40, 40, 128}} {
		c, err := readConfig(realFolder(text))
		require.NoError(t, err)
		assert.Equal(t, want, []int{c.Text.Hidden, c.Text.Intermediate, c.Text.Layers, c.Text.Heads, c.Text.HeadDim})
		assert.Equal(t, []int{32064, 32000, 23, 576}, []int{c.Text.Vocabulary, c.ImageToken, c.Blocks, c.tokens()})
		assert.Equal(t, 1e-5, c.Text.Epsilon)
		assert.Equal(t, []any{"quick_gelu", 1e-5, "gelu", true, false}, []any{c.Vision.Activation, c.Vision.Epsilon, c.Activation, c.Bias, c.Text.TiedHead})
		assert.Equal(t, vision.Size{Height: 336, Width: 336}, c.Picture.Square())
	}
}

// TestReadOtherVersions reads the same settings as other versions write them.
func TestReadOtherVersions(t *testing.T) {
	want, err := readConfig(realFolder(realText7B))
	require.NoError(t, err)
	for name, change := range map[string]func(files fstest.MapFS){
		"version 5": func(files fstest.MapFS) {
			vlmtest.Set(t, files, config, "image_token_id", 32000)
			vlmtest.Set(t, files, config, "image_token_index", vlmtest.Absent{})
			vlmtest.Set(t, files, config, "multimodal_projector_bias", true)
			vlmtest.Set(t, files, config, "image_seq_length", 576)
			delete(files, pictures)
			files[processor].Data = []byte(`{"image_processor": ` + realPicture + `, ` + realProcessor[1:])
		},
		"sizes as numbers": func(files fstest.MapFS) {
			vlmtest.Set(t, files, pictures, "size", 336)
			vlmtest.Set(t, files, pictures, "crop_size", 336)
		},
		"no processor": func(files fstest.MapFS) { delete(files, processor) },
		"no tower":     func(files fstest.MapFS) { vlmtest.Set(t, files, config, "vision_config", vlmtest.Absent{}) },
	} {
		t.Run(name, func(t *testing.T) {
			files := realFolder(realText7B)
			change(files)
			got, err := readConfig(files)
			require.NoError(t, err)
			got.Vision.Pretrained, got.Vision.Projection, got.Vision.Vocabulary = want.Vision.Pretrained, want.Vision.Projection, want.Vision.Vocabulary
			got.Picture.Size, got.Picture.Crop = want.Picture.Size, want.Picture.Crop
			got.Picture.PictureConfig = want.Picture.PictureConfig
			assert.Equal(t, want, got)
		})
	}
}

func TestReadConfigRefuses(t *testing.T) {
	sound := realFolder(realText7B)
	vlmtest.TestFiles(t, sound, readConfig, config, pictures)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{ // unknown, or of another type
		{config, "vision_feature_layer", []int{-2, -5}},
		{config, "vision_config.some_novelty", 1},
		{config, "some_novelty", 1},
		{pictures, "size.longest", 336},
	})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, []vlmtest.Field{
		{config, "architectures", []string{"LlavaNextForConditionalGeneration"}},
		{config, "model_type", "llava_next"},
		{config, "vision_feature_layer", -26},
		{config, "vision_feature_layer", 25},
		{config, "vision_feature_select_strategy", "middle"},
		{config, "vision_config.model_type", "siglip_vision_model"},
		{config, "vision_config.hidden_size", 0},
		{config, "vision_config.num_attention_heads", 7},
		{config, "vision_config.image_size", 13},
		{config, "vision_config.num_channels", 4},
		{config, "vision_config.layer_norm_eps", -1},
		{config, "quantization_config", map[string]any{"bits": 4}},
		{config, "text_config.model_type", "phi"},
		{config, "text_config.attention_multiplier", 2},
		{pictures, "do_center_crop", false},
		{pictures, "crop_size", map[string]any{"height": 224, "width": 336}},
		{pictures, "size.shortest_edge", 224},
		{pictures, "size.shortest_edge", vlmtest.Absent{}},
		{pictures, "size", map[string]any{"height": 336, "width": 336}},
		{pictures, "resample", 0},
		{processor, "patch_size", 16},
		{processor, "vision_feature_select_strategy", "full"},
		{processor, "image_token", "<img>"},
	})
}

func TestOpenNamesActivations(t *testing.T) {
	for _, path := range []string{"vision_config.hidden_act", "projector_hidden_act"} {
		files := vlmtest.Files(t, "llava")
		vlmtest.Set(t, files, config, path, "mish")
		_, err := OpenFS(t.Context(), golden.Plain(t), files, Options{})
		require.ErrorIs(t, err, hf.ErrConfig)
		require.ErrorContains(t, err, path[len(path)-len("hidden_act"):])
	}
}
