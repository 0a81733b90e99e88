package zimage

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// checkpoint are the files of one, for tests that spoil some of them.
func checkpoint(t testing.TB) fstest.MapFS { return pipelinetest.Files(t, family) }

const (
	transformerJSON = "transformer/config.json"
	scheduler       = "scheduler/scheduler_config.json"
	qwen            = "text_encoder/config.json"
)

func TestReadConfigRefuses(t *testing.T) {
	const index = "model_index.json"
	pipelinetest.ConfigRefused(t, checkpoint, []pipelinetest.Refused{
		{index, `"Qwen3Model"`, `"Qwen2Model"`, "text_encoder"},
		{index, `"AutoencoderKL"`, `"AutoencoderKLFlux2"`, "vae"},
		{transformerJSON, `"n_layers": 3`, `"n_layers": 0`, "n_layers"},
		{transformerJSON, `"n_refiner_layers": 2`, `"n_refiner_layers": -1`, "n_refiner_layers"},
		{transformerJSON, `"n_kv_heads": 3`, `"n_kv_heads": 1`, "n_kv_heads"},
		{transformerJSON, `"n_heads": 3`, `"n_heads": 5`, "n_heads"},
		{transformerJSON, `"dim": 48`, `"dim": 96`, "axes_dims"},
		{transformerJSON, `"axes_lens": [`, `"axes_lens": [0, `, "axes_lens"},
		{transformerJSON, `"axes_dims": [`, `"axes_dims": [1, `, "axes_dims"},
		{transformerJSON, `"all_patch_size": [`, `"all_patch_size": [4, `, "all_patch_size"},
		{transformerJSON, `"all_f_patch_size": [`, `"all_f_patch_size": [2, `, "all_f_patch_size"},
		{transformerJSON, `"norm_eps": 1e-05`, `"norm_eps": 0`, "norm_eps"},
		{transformerJSON, `"rope_theta": 256.0`, `"rope_theta": -1`, "rope_theta"},
		{transformerJSON, `"t_scale": 1000.0`, `"t_scale": 0`, "t_scale"},
		{transformerJSON, `"in_channels": 16`, `"in_channels": 32`, "in_channels"},
		{transformerJSON, `"cap_feat_dim": 24`, `"cap_feat_dim": 25`, "cap_feat_dim"},
		{transformerJSON, `"t_scale": 1000.0`, `"t_scale": 1000.0, "siglip_feat_dim": 1152`, "siglip_feat_dim"},
		{transformerJSON, `"t_scale": 1000.0`, `"t_scale": 1000.0, "surprise": 1`, "surprise"},
		{transformerJSON, `"ZImageTransformer2DModel"`, `"Lumina2Transformer2DModel"`, "_class_name"},
		{scheduler, `"shift": 3.0`, `"shift": 0`, "shift"},
		{qwen, `"model_type": "qwen3"`, `"model_type": "qwen2"`, "model_type"},
		{qwen, `"num_hidden_layers": 5`, `"num_hidden_layers": 1`, "num_hidden_layers"},
	}, func(fsys fs.FS) error {
		_, err := readConfig(fsys)
		return err
	})
}

// TestPublished reads the configurations of the published models: Turbo's, and Z-Image's
// with its other shift.
func TestPublished(t *testing.T) {
	for name, shift := range map[string]string{"Z-Image-Turbo": "3.0", "Z-Image": "6.0"} {
		t.Run(name, func(t *testing.T) {
			files := checkpoint(t)
			pipelinetest.Published(files, map[string]string{
				transformerJSON: `{"_class_name": "ZImageTransformer2DModel", "_diffusers_version": "0.36.0.dev0", "all_f_patch_size": [1], "all_patch_size": [2],
					"axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512], "cap_feat_dim": 2560, "dim": 3840, "in_channels": 16, "n_heads": 30,
					"n_kv_heads": 30, "n_layers": 30, "n_refiner_layers": 2, "norm_eps": 1e-05, "qk_norm": true, "rope_theta": 256.0, "t_scale": 1000.0}`,
				scheduler: `{"_class_name": "FlowMatchEulerDiscreteScheduler", "_diffusers_version": "0.36.0.dev0", "num_train_timesteps": 1000,
					"use_dynamic_shifting": false, "shift": ` + shift + `}`,
				"vae/config.json": pipelinetest.PublishedFluxKL,
				qwen: `{"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
					"eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02, "intermediate_size": 9728,
					"max_position_embeddings": 40960, "max_window_layers": 36, "model_type": "qwen3", "num_attention_heads": 32, "num_hidden_layers": 36,
					"num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
					"tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
					"use_sliding_window": false, "vocab_size": 151936}`,
			})
			c, err := readConfig(files)
			require.NoError(t, err)
			o, err := Options{}.resolved(c)
			require.NoError(t, err)
			require.Equal(t, Options{Height: 1024, Width: 1024, Steps: 8, TextTokens: 512, Guidance: new(0.0), Truncation: new(1.0)}, o)
		})
	}
}

func TestOptions(t *testing.T) {
	c, err := readConfig(checkpoint(t))
	require.NoError(t, err)
	for field, o := range map[string]Options{
		"Height":        {Height: 72},
		"Height 8208":   {Height: 8208}, // rows
		"Width":         {Width: -16},
		"Steps":         {Steps: 1001},
		"TextTokens":    {TextTokens: 1 << 20},
		"positions":     {TextTokens: 1530},
		"Guidance":      {Guidance: new(-1.0)},
		"Normalization": {Normalization: -1},
		"Truncation":    {Truncation: new(1.5)},
		"Checkpoint":    {Checkpoint: 7},
	} {
		_, err := o.resolved(c)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
}

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	const vae = "vae/diffusion_pytorch_model.safetensors"
	const shard = "transformer/diffusion_pytorch_model-00003-of-00003.safetensors"
	rt := golden.Plain(t)
	pipelinetest.OpenRefused(t, rt, checkpoint, map[string]pipelinetest.Spoilt{
		"missing shard":     pipelinetest.Deleted(shard, shard),
		"truncated":         pipelinetest.Truncated(vae),
		"surplus":           pipelinetest.Replaced(transformerJSON, `"n_layers": 3`, `"n_layers": 2`, weights.ErrSurplus, "layers.2"),
		"no norms":          pipelinetest.Replaced(transformerJSON, `"qk_norm": true`, `"qk_norm": false`, weights.ErrSurplus, "norm_"),
		"damaged tokenizer": pipelinetest.Overwritten("tokenizer/tokenizer.json", "{", tokenizer.ErrFormat, "tokenizer"),
	}, func(fsys fs.FS) error {
		_, err := OpenFS(t.Context(), rt, fsys, Options{})
		return err
	})
}

// TestRelease lets the text encoder go, and brings it back for a new prompt.
func TestRelease(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, checkpoint(t), Options{Height: 32, Width: 48, TextTokens: 16})
	require.NoError(t, err)
	pipelinetest.Released(t, rt, g, [2]string{"a red horse", "a red horse"}, 1, 16, 24)
}

func TestLatents(t *testing.T) {
	g, err := OpenFS(t.Context(), golden.Plain(t), checkpoint(t), Options{Height: 32, Width: 48, TextTokens: 16})
	require.NoError(t, err)
	two, err := g.Latents(7, 8)
	require.NoError(t, err)
	require.Equal(t, []int{2, 16, 4, 6}, two.Shape().Dimensions)
}
