package qwen25vl

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
	modelFile     = "config.json"
	pictureFile   = "preprocessor_config.json"
	processorFile = "processor_config.json"
)

// The configuration of Qwen/Qwen2.5-VL-7B-Instruct; those of the 3B, the 32B and
// the 72B differ in a few numbers.
const (
	real7B = `{"architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": 151643,
		"eos_token_id": 151645, "vision_start_token_id": 151652, "vision_end_token_id": 151653, "vision_token_id": 151654,
		"image_token_id": 151655, "video_token_id": 151656, "hidden_act": "silu", "hidden_size": 3584, "initializer_range": 0.02,
		"intermediate_size": 18944, "max_position_embeddings": 128000, "max_window_layers": 28, "model_type": "qwen2_5_vl",
		"num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
		"sliding_window": 32768, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.41.2",
		"use_cache": true, "use_sliding_window": false, "vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280,
		"intermediate_size": 3420, "num_heads": 16, "in_chans": 3, "out_hidden_size": 3584, "patch_size": 14, "spatial_merge_size": 2,
		"spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2,
		"temporal_patch_size": 2}, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}, "vocab_size": 152064}`
	realPicture = `{"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
		"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
		"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor"}`
)

func TestReadRealConfigs(t *testing.T) {
	for name, test := range map[string]struct {
		fields map[string]any
		want   decoder.Config
	}{
		"3B": {map[string]any{"hidden_size": 2048, "intermediate_size": 11008, "num_attention_heads": 16, "num_hidden_layers": 36,
			"num_key_value_heads": 2, "tie_word_embeddings": true, "vocab_size": 151936, "vision_config.out_hidden_size": 2048},
			decoder.Config{Hidden: 2048, Intermediate: 11008, Heads: 16, Layers: 36, KVHeads: 2, Vocabulary: 151936, TiedHead: true}},
		"7B": {nil,
			decoder.Config{Hidden: 3584, Intermediate: 18944, Heads: 28, Layers: 28, KVHeads: 4, Vocabulary: 152064}},
		"72B": {map[string]any{"hidden_size": 8192, "intermediate_size": 29568, "num_attention_heads": 64, "num_hidden_layers": 80,
			"num_key_value_heads": 8, "vision_config.intermediate_size": 3456, "vision_config.out_hidden_size": 8192},
			decoder.Config{Hidden: 8192, Intermediate: 29568, Heads: 64, Layers: 80, KVHeads: 8, Vocabulary: 152064}},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{modelFile: {Data: []byte(real7B)}, pictureFile: {Data: []byte(realPicture)}}
			for path, value := range test.fields {
				vlmtest.Set(t, files, modelFile, path, value)
			}
			c, err := readConfig(files)
			require.NoError(t, err)
			got := c.Text
			require.Equal(t, test.want, decoder.Config{Hidden: got.Hidden, Intermediate: got.Intermediate, Heads: got.Heads,
				Layers: got.Layers, KVHeads: got.KVHeads, Vocabulary: got.Vocabulary, TiedHead: got.TiedHead})
			require.Equal(t, 128, got.HeadDim)
			require.True(t, got.QKVBias)
			require.Equal(t, []int{16, 24, 24}, got.Sections)
			require.Equal(t, make([]int, got.Layers), got.Windows)
			require.Equal(t, 4, c.Vision.side())
			require.Equal(t, 151655, c.ImageToken)
		})
	}
}

// fields reads a JSON file.
func fields(t *testing.T, files fstest.MapFS, name string) (all map[string]json.RawMessage) {
	t.Helper()
	require.NoError(t, json.Unmarshal(files[name].Data, &all))
	return all
}

// toVersion5 brings the files into the layout of transformers 5.
func toVersion5(t *testing.T, files fstest.MapFS) {
	text := map[string]any{"model_type": "qwen2_5_vl_text", "layer_types": nil}
	for name, value := range fields(t, files, modelFile) {
		switch name {
		case "architectures", "model_type", "vision_config", "tie_word_embeddings", "transformers_version",
			"image_token_id", "video_token_id", "vision_token_id", "vision_start_token_id", "vision_end_token_id":
			continue
		case "rope_theta", "rope_scaling":
		default:
			text[name] = value
		}
		vlmtest.Set(t, files, modelFile, name, vlmtest.Absent{})
	}
	text["rope_parameters"] = json.RawMessage(`{"mrope_section": [2, 3, 3], "rope_theta": 1000000.0, "rope_type": "default", "type": "mrope"}`)
	vlmtest.Set(t, files, modelFile, "text_config", text)
	vlmtest.Set(t, files, modelFile, "vision_config.rope_parameters", map[string]any{"rope_theta": 10000., "rope_type": "axial"})

	picture := map[string]any{}
	for name, value := range fields(t, files, pictureFile) {
		picture[name] = value
	}
	picture["size"] = map[string]any{"shortest_edge": picture["min_pixels"], "longest_edge": picture["max_pixels"]}
	delete(picture, "min_pixels")
	delete(picture, "max_pixels")
	delete(files, pictureFile)
	data, err := json.Marshal(map[string]any{"image_processor": picture, "processor_class": "Qwen2_5_VLProcessor", "video_processor": map[string]any{}})
	require.NoError(t, err)
	files[processorFile] = &fstest.MapFile{Data: data}
}

// TestReadConfigOfVersion5 reads the same from the layouts of both versions.
func TestReadConfigOfVersion5(t *testing.T) {
	files := vlmtest.Files(t, nameInFixtures)
	want, err := readConfig(files)
	require.NoError(t, err)
	toVersion5(t, files)
	got, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, want.Text, got.Text)
	got.Vision.Rope, got.Processor.Size = want.Vision.Rope, want.Processor.Size
	require.Equal(t, want, got)

	vlmtest.Set(t, files, modelFile, "tie_word_embeddings", true)
	got, err = readConfig(files)
	require.NoError(t, err)
	require.True(t, got.Text.TiedHead)
}

// TestReadWindows has windows from a layer on. They count only where they are
// switched on; decoder's fixtures compare what they do with transformers.
func TestReadWindows(t *testing.T) {
	files := vlmtest.Files(t, nameInFixtures)
	vlmtest.Set(t, files, modelFile, "sliding_window", 16)
	vlmtest.Set(t, files, modelFile, "max_window_layers", 1)
	for on, want := range map[bool][]int{false: {0, 0, 0}, true: {0, 16, 16}} {
		vlmtest.Set(t, files, modelFile, "use_sliding_window", on)
		c, err := readConfig(files)
		require.NoError(t, err)
		require.Equal(t, want, c.Text.Windows)
	}
}

// TestReadConfigDefaults leaves out what transformers fills in.
func TestReadConfigDefaults(t *testing.T) {
	files := vlmtest.Files(t, nameInFixtures)
	for _, name := range []string{"min_pixels", "max_pixels", "patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std"} {
		vlmtest.Set(t, files, pictureFile, name, vlmtest.Absent{})
	}
	for _, name := range []string{"hidden_act", "patch_size", "temporal_patch_size", "spatial_merge_size", "in_chans", "window_size"} {
		vlmtest.Set(t, files, modelFile, "vision_config."+name, vlmtest.Absent{})
	}
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, 3136, *c.Processor.MinPixels)
	require.Equal(t, 1003520, *c.Processor.MaxPixels)
	require.Equal(t, []float64{0.48145466, 0.4578275, 0.40821073}, c.Processor.Mean)
	require.Equal(t, 4, c.Vision.side())
}

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{modelFile, "architectures", []string{"Qwen2VLForConditionalGeneration"}},
	{modelFile, "model_type", "qwen2_vl"},
	{modelFile, "image_token_id", 1 << 20},
	{modelFile, "image_token_id", -1},
	{modelFile, "image_token_id", "712"},
	{modelFile, "use_sliding_windows", true},
	{modelFile, "quantization_config", map[string]any{"bits": 4}},
	{modelFile, "hidden_size", 63},
	{modelFile, "num_hidden_layers", 0},
	{modelFile, "num_key_value_heads", 3},
	{modelFile, "hidden_act", "gelu_new"},
	{modelFile, "rope_scaling.mrope_section", []int{2, 3, 4}},
	{modelFile, "rope_scaling.type", "yarn"},
	{modelFile, "vision_config.depth", 0},
	{modelFile, "vision_config.depth", 1 << 40},
	{modelFile, "vision_config.hidden_size", 50},
	{modelFile, "vision_config.hidden_act", "gelu"},
	{modelFile, "vision_config.in_channels", 4},
	{modelFile, "vision_config.out_hidden_size", 65},
	{modelFile, "vision_config.window_size", 27},
	{modelFile, "vision_config.fullatt_block_indexes", []int{-1}},
	{modelFile, "vision_config.patch_size", []int{14, 14}},
	{modelFile, "vision_config.rope_parameters", map[string]any{"rope_type": "linear"}},
	{modelFile, "vision_config.rope_parameters", map[string]any{"rope_theta": 0}},
	{modelFile, "vision_config.deepstack", 1},
	{pictureFile, "patch_size", 16},
	{pictureFile, "temporal_patch_size", 1},
	{pictureFile, "merge_size", 4},
	{pictureFile, "min_pixels", 0},
	{pictureFile, "max_pixels", 1 << 40},
	{pictureFile, "resample", 1},
	{pictureFile, "do_normalize", false},
	{pictureFile, "image_std", []int{0, 0, 0}},
}

func TestReadConfigRefuses(t *testing.T) {
	sound := vlmtest.Files(t, nameInFixtures)
	vlmtest.TestFields(t, sound, readConfig, nil, []vlmtest.Field{{pictureFile, "min_pixel", 1}})
	vlmtest.TestFields(t, sound, readConfig, hf.ErrConfig, refused)
}
