package qwen3vl

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

const (
	configFile    = "config.json"
	pictureFile   = "preprocessor_config.json"
	processorFile = "processor_config.json"
)

// The configuration of Qwen/Qwen3-VL-4B-Instruct; those of the other sizes differ in a
// few numbers.
const (
	real4B = `{"architectures": ["Qwen3VLForConditionalGeneration"], "image_token_id": 151655, "model_type": "qwen3_vl",
		"text_config": {"attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643, "dtype": "bfloat16",
		"eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02,
		"intermediate_size": 9728, "max_position_embeddings": 262144, "model_type": "qwen3_vl_text", "num_attention_heads": 32,
		"num_hidden_layers": 36, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": {"mrope_interleaved": true,
		"mrope_section": [24, 20, 20], "rope_type": "default"}, "rope_theta": 5000000, "tie_word_embeddings": true,
		"use_cache": true, "vocab_size": 151936}, "tie_word_embeddings": true, "transformers_version": "4.57.0.dev0",
		"video_token_id": 151656, "vision_config": {"deepstack_visual_indexes": [5, 11, 17], "depth": 24,
		"hidden_act": "gelu_pytorch_tanh", "hidden_size": 1024, "in_channels": 3, "initializer_range": 0.02,
		"intermediate_size": 4096, "model_type": "qwen3_vl", "num_heads": 16, "num_position_embeddings": 2304,
		"out_hidden_size": 2560, "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2},
		"vision_end_token_id": 151653, "vision_start_token_id": 151652}`
	realPicture = `{"size": {"longest_edge": 16777216, "shortest_edge": 65536}, "patch_size": 16, "temporal_patch_size": 2,
		"merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "processor_class": "Qwen3VLProcessor",
		"image_processor_type": "Qwen2VLImageProcessorFast"}`
)

func TestReadRealConfigs(t *testing.T) {
	large := map[string]any{ // the tower of the 8B and the 32B
		"vision_config.deepstack_visual_indexes": []int{8, 16, 24}, "vision_config.depth": 27, "vision_config.hidden_size": 1152,
		"vision_config.intermediate_size": 4304, "tie_word_embeddings": false, "text_config.tie_word_embeddings": false,
	}
	for name, test := range map[string]struct {
		fields map[string]any
		tower  map[string]any
		want   decoder.Config
	}{
		"2B": {map[string]any{"hidden_size": 2048, "intermediate_size": 6144, "num_attention_heads": 16, "num_hidden_layers": 28}, nil,
			decoder.Config{Hidden: 2048, Intermediate: 6144, Heads: 16, Layers: 28, TiedHead: true}},
		"4B": {nil, nil, decoder.Config{Hidden: 2560, Intermediate: 9728, Heads: 32, Layers: 36, TiedHead: true}},
		"8B": {map[string]any{"hidden_size": 4096, "intermediate_size": 12288}, large,
			decoder.Config{Hidden: 4096, Intermediate: 12288, Heads: 32, Layers: 36}},
		"32B": {map[string]any{"hidden_size": 5120, "intermediate_size": 25600, "num_attention_heads": 64, "num_hidden_layers": 64}, large,
			decoder.Config{Hidden: 5120, Intermediate: 25600, Heads: 64, Layers: 64}},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{configFile: {Data: []byte(real4B)}, pictureFile: {Data: []byte(realPicture)}}
			vlmtest.Set(t, files, configFile, "vision_config.out_hidden_size", test.want.Hidden)
			for path, value := range test.tower {
				vlmtest.Set(t, files, configFile, path, value)
			}
			for name, value := range test.fields {
				vlmtest.Set(t, files, configFile, "text_config."+name, value)
			}
			c, err := readConfig(files)
			require.NoError(t, err)
			got := c.Text
			require.Equal(t, test.want, decoder.Config{Hidden: got.Hidden, Intermediate: got.Intermediate, Heads: got.Heads,
				Layers: got.Layers, TiedHead: got.TiedHead})
			require.Equal(t, []int{8, 128, 151936}, []int{got.KVHeads, got.HeadDim, got.Vocabulary})
			require.True(t, got.QKNorm && got.Interleaved)
			require.Equal(t, 2304, c.Vision.Positions)
			require.Len(t, c.Vision.Deep, 3)
			require.Equal(t, []int{65536, 16777216}, []int{*c.Pictures.MinPixels, *c.Pictures.MaxPixels})
		})
	}
}

// TestReadConfigOfVersion5 reads the same from the layout of transformers 5.
func TestReadConfigOfVersion5(t *testing.T) {
	files := vlmtest.Files(t, nameInFixtures)
	want, err := readConfig(files)
	require.NoError(t, err)
	for _, name := range []string{"rope_scaling", "rope_theta"} {
		vlmtest.Set(t, files, configFile, "text_config."+name, vlmtest.Absent{})
	}
	vlmtest.Set(t, files, configFile, "text_config.rope_parameters", json.RawMessage(
		`{"mrope_interleaved": true, "mrope_section": [4, 3, 3], "rope_theta": 5000000, "rope_type": "default"}`))
	vlmtest.Set(t, files, configFile, "text_config.pad_token_id", nil)
	vlmtest.Set(t, files, configFile, "vision_config.model_type", "qwen3_vl_vision")
	vlmtest.Set(t, files, configFile, "vision_config.rope_parameters", map[string]any{"rope_theta": 10000., "rope_type": "axial"})
	picture := json.RawMessage(files[pictureFile].Data)
	delete(files, pictureFile)
	data, err := json.Marshal(map[string]any{"image_processor": picture, "processor_class": "Qwen3VLProcessor", "video_processor": map[string]any{}})
	require.NoError(t, err)
	files[processorFile] = &fstest.MapFile{Data: data}

	got, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, want.Text, got.Text)
	got.Vision.Rope, got.Vision.ModelType = want.Vision.Rope, want.Vision.ModelType
	require.Equal(t, want, got)
}

// TestReadConfigDefaults leaves out what transformers fills in.
func TestReadConfigDefaults(t *testing.T) {
	files := vlmtest.Files(t, nameInFixtures)
	for _, name := range []string{"hidden_act", "in_channels", "patch_size", "temporal_patch_size", "spatial_merge_size", "num_position_embeddings", "model_type"} {
		vlmtest.Set(t, files, configFile, "vision_config."+name, vlmtest.Absent{})
	}
	vlmtest.Set(t, files, configFile, "vision_config.depth", 25)
	vlmtest.Set(t, files, configFile, "vision_config.deepstack_visual_indexes", vlmtest.Absent{})
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, []int{8, 16, 24}, c.Vision.Deep)
	require.Equal(t, []int{2304, 16, 2, 2}, []int{c.Vision.Positions, c.Vision.Patch, c.Vision.Frames, c.Vision.Merge})
	require.Equal(t, "gelu_pytorch_tanh", c.Vision.Activation)

	for _, name := range []string{"size", "image_mean", "image_std"} {
		vlmtest.Set(t, files, pictureFile, name, vlmtest.Absent{})
	}
	c, err = readConfig(files)
	require.NoError(t, err)
	require.Equal(t, []int{3136, 1003520}, []int{*c.Pictures.MinPixels, *c.Pictures.MaxPixels})
	require.Equal(t, []float64{0.48145466, 0.4578275, 0.40821073}, c.Pictures.Mean)
}

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{configFile, "architectures", []string{"Qwen3VLMoeForConditionalGeneration"}},
	{configFile, "model_type", "qwen3_vl_moe"},
	{configFile, "image_token_id", 1 << 20},
	{configFile, "image_token_id", -1},
	{configFile, "quantization_config", map[string]any{"bits": 4}},
	{configFile, "tie_word_embeddings", false},
	{configFile, "text_config.model_type", "qwen3"},
	{configFile, "text_config.num_experts", 8},
	{configFile, "text_config.hidden_size", 64},
	{configFile, "text_config.num_hidden_layers", 0},
	{configFile, "text_config.num_hidden_layers", 1},
	{configFile, "text_config.num_key_value_heads", 3},
	{configFile, "text_config.hidden_act", "relu"},
	{configFile, "text_config.use_sliding_window", true},
	{configFile, "text_config.rope_scaling.mrope_interleaved", false},
	{configFile, "text_config.rope_scaling.mrope_section", []int{4, 3, 4}},
	{configFile, "text_config.rope_scaling.rope_type", "yarn"},
	{configFile, "vision_config.model_type", "qwen2_5_vl"},
	{configFile, "vision_config.depth", 0},
	{configFile, "vision_config.depth", 1 << 40},
	{configFile, "vision_config.hidden_size", 38},
	{configFile, "vision_config.hidden_act", "tanh"},
	{configFile, "vision_config.in_channels", 4},
	{configFile, "vision_config.out_hidden_size", 57},
	{configFile, "vision_config.num_position_embeddings", 63},
	{configFile, "vision_config.num_position_embeddings", 0},
	{configFile, "vision_config.deepstack_visual_indexes", []int{2, 1}},
	{configFile, "vision_config.deepstack_visual_indexes", []int{1, 1}},
	{configFile, "vision_config.deepstack_visual_indexes", []int{-1}},
	{configFile, "vision_config.deepstack_visual_indexes", []int{4}},
	{configFile, "vision_config.deepstack_visual_indexes", []int{0, 1, 2, 3}},
	{configFile, "vision_config.rope_parameters", map[string]any{"rope_type": "linear"}},
	{configFile, "vision_config.rope_parameters", map[string]any{"rope_theta": 0}},
	{pictureFile, "patch_size", 14},
	{pictureFile, "temporal_patch_size", 1},
	{pictureFile, "merge_size", 4},
	{pictureFile, "size.shortest_edge", 0},
	{pictureFile, "size.longest_edge", 1 << 40},
	{pictureFile, "resample", 1},
	{pictureFile, "do_normalize", false},
	{pictureFile, "image_std", []int{0, 0, 0}},
}

func TestReadConfigRefuses(t *testing.T) {
	sound := vlmtest.Files(t, nameInFixtures)
	vlmtest.TestFiles(t, sound, readConfig, configFile, pictureFile)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{ // unknown
		{configFile, "vision_config.window_size", 112},
		{pictureFile, "min_pixel", 1},
	})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, refused)
}
