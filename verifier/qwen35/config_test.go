package qwen35

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

const (
	configFile  = "config.json"
	pictureFile = "preprocessor_config.json"
)

// A configuration like that of Qwen/Qwen3.5-4B, from memory.
const (
	real4B = `{"architectures": ["Qwen3_5ForConditionalGeneration"], "image_token_id": 248056, "model_type": "qwen3_5",
		"text_config": {"attention_bias": false, "attention_dropout": 0.0, "attn_output_gate": true, "dtype": "bfloat16",
		"eos_token_id": 248044, "full_attention_interval": 4, "head_dim": 256, "hidden_act": "silu", "hidden_size": 2560,
		"initializer_range": 0.02, "intermediate_size": 9216, "layer_types": ["linear_attention", "linear_attention",
		"linear_attention", "full_attention"], "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128, "linear_num_key_heads": 16,
		"linear_num_value_heads": 32, "linear_value_head_dim": 128, "max_position_embeddings": 262144, "mlp_only_layers": [],
		"model_type": "qwen3_5_text", "mtp_num_hidden_layers": 1, "mtp_use_dedicated_embeddings": false,
		"num_attention_heads": 16, "num_hidden_layers": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
		"tie_word_embeddings": true, "use_cache": true, "vocab_size": 248320, "mamba_ssm_dtype": "float32",
		"rope_parameters": {"mrope_interleaved": true, "mrope_section": [11, 11, 10], "rope_type": "default",
		"rope_theta": 10000000, "partial_rotary_factor": 0.25}}, "tie_word_embeddings": true, "transformers_version": "5.2.0",
		"video_token_id": 248057, "vision_config": {"deepstack_visual_indexes": [], "depth": 24, "hidden_act": "gelu_pytorch_tanh",
		"hidden_size": 1024, "in_channels": 3, "initializer_range": 0.02, "intermediate_size": 4096, "model_type": "qwen3_5",
		"num_heads": 16, "num_position_embeddings": 2304, "out_hidden_size": 2560, "patch_size": 16, "spatial_merge_size": 2,
		"temporal_patch_size": 2}, "vision_end_token_id": 248054, "vision_start_token_id": 248053}`
	realPicture = `{"size": {"longest_edge": 16777216, "shortest_edge": 65536}, "patch_size": 16, "temporal_patch_size": 2,
		"merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "processor_class": "Qwen3VLProcessor",
		"image_processor_type": "Qwen2VLImageProcessorFast"}`
)

func TestReadRealConfig(t *testing.T) {
	c, err := readConfig(fstest.MapFS{configFile: {Data: []byte(real4B)}, pictureFile: {Data: []byte(realPicture)}})
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, true, false}, c.Text.Recurrent)
	require.Equal(t, []int{2560, 256, 64}, []int{c.Text.Hidden, c.Text.HeadDim, c.Text.RotaryDim})
	require.True(t, c.Text.TiedHead)
}

// TestReadConfigDefaults leaves out what transformers fills in.
func TestReadConfigDefaults(t *testing.T) {
	files := vlmtest.Files(t, nameInFixtures)
	for _, name := range []string{"hidden_act", "in_channels", "patch_size", "temporal_patch_size", "spatial_merge_size", "num_position_embeddings", "model_type"} {
		vlmtest.Set(t, files, configFile, "vision_config."+name, vlmtest.Absent{})
	}
	for _, name := range []string{"attn_output_gate", "layer_types", "full_attention_interval", "linear_conv_kernel_dim"} {
		vlmtest.Set(t, files, configFile, "text_config."+name, vlmtest.Absent{})
	}
	vlmtest.Set(t, files, configFile, "vision_config.deepstack_visual_indexes", vlmtest.Absent{})
	want, err := readConfig(vlmtest.Files(t, nameInFixtures))
	require.NoError(t, err)
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, want.Text, c.Text)
	require.Empty(t, c.Vision.Deep)
	require.Equal(t, []int{2304, 16, 2, 2}, []int{c.Vision.Positions, c.Vision.Patch, c.Vision.Frames, c.Vision.Merge})
	require.Equal(t, "gelu_pytorch_tanh", c.Vision.Activation)
}

// refused are values that no folder may have.
var refused = []vlmtest.Field{
	{configFile, "architectures", []string{"Qwen3_5MoeForConditionalGeneration"}},
	{configFile, "model_type", "qwen3_5_moe"},
	{configFile, "image_token_id", 1 << 20},
	{configFile, "quantization_config", map[string]any{"bits": 4}},
	{configFile, "tie_word_embeddings", false},
	{configFile, "text_config.model_type", "qwen3_vl_text"},
	{configFile, "text_config.num_experts", 8},
	{configFile, "text_config.attn_output_gate", false},
	{configFile, "text_config.mlp_only_layers", []int{0}},
	{configFile, "text_config.layer_types", []string{"full_attention"}},
	{configFile, "text_config.linear_num_key_heads", 3},
	{configFile, "text_config.linear_conv_kernel_dim", 1},
	{configFile, "text_config.rope_parameters.mrope_interleaved", false},
	{configFile, "text_config.rope_parameters.mrope_section", []int{2, 2, 2}},
	{configFile, "text_config.rope_parameters.partial_rotary_factor", 0},
	{configFile, "vision_config.model_type", "qwen3_vl"},
	{configFile, "vision_config.deepstack_visual_indexes", []int{1}},
	{configFile, "vision_config.out_hidden_size", 57},
	{pictureFile, "patch_size", 14},
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
