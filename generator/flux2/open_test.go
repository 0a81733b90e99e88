package flux2

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// fixture returns the files of a distilled model or of a base one, for tests that spoil
// some of them.
func fixture(t testing.TB, isDistilled bool) fstest.MapFS {
	for _, r := range pipelinetest.Find(t, family) {
		files := r.Model(t, "model")
		c, err := readConfig(files)
		require.NoError(t, err)
		if c.Distilled == isDistilled {
			return files
		}
	}
	require.Fail(t, "no such fixture")
	return nil
}

func distilled(t testing.TB) fstest.MapFS { return fixture(t, true) }

func TestReadConfigRefuses(t *testing.T) {
	const index, transformer, scheduler = "model_index.json", "transformer/config.json", "scheduler/scheduler_config.json"
	const qwen, vae = "text_encoder/config.json", "vae/config.json"
	pipelinetest.ConfigRefused(t, distilled, []pipelinetest.Refused{
		{index, `"Qwen3ForCausalLM"`, `"Mistral3ForConditionalGeneration"`, "text_encoder"},
		{index, `"AutoencoderKLFlux2"`, `"AutoencoderKL"`, "vae"},
		{index, `"is_distilled": true`, `"is_distilled": "yes"`, "is_distilled"},
		{transformer, `"patch_size": 1`, `"patch_size": 2`, "patch_size"},
		{transformer, `"patch_size": 1`, `"patch_size": 1, "surprise": 1`, "surprise"},
		{transformer, `"out_channels": null`, `"out_channels": 16`, "out_channels"},
		{transformer, `"guidance_embeds": false`, `"guidance_embeds": true`, "guidance_embeds"},
		{transformer, `"guidance_embeds": false,`, ``, "guidance_embeds"}, // whose default is true
		{transformer, `"num_single_layers": 3`, `"num_single_layers": -3`, "num_single_layers"},
		{transformer, `"attention_head_dim": 16`, `"attention_head_dim": 18`, "axes_dims_rope"},
		{transformer, `"timestep_guidance_channels": 256`, `"timestep_guidance_channels": 255`, "timestep_guidance_channels"},
		{transformer, `"mlp_ratio": 3.0`, `"mlp_ratio": 0.001`, "mlp_ratio"},
		{transformer, `"rope_theta": 2000`, `"rope_theta": 0`, "rope_theta"},
		{transformer, `"eps": 1e-06`, `"eps": 0`, "eps"},
		{transformer, `"in_channels": 32`, `"in_channels": 64`, "in_channels"},
		{transformer, `"joint_attention_dim": 72`, `"joint_attention_dim": 24`, "joint_attention_dim"},
		{transformer, `"Flux2Transformer2DModel"`, `"FluxTransformer2DModel"`, "_class_name"},
		{scheduler, `"time_shift_type": "exponential"`, `"time_shift_type": "linear"`, "time_shift_type"},
		{vae, `"patch_size": [`, `"patch_size": [1,`, "patch_size"},
		{qwen, `"num_hidden_layers": 29`, `"num_hidden_layers": 26`, "num_hidden_layers"},
		{qwen, `"model_type": "qwen3"`, `"model_type": "llama"`, "model_type"},
	}, func(fsys fs.FS) error {
		_, err := readConfig(fsys)
		return err
	})
}

// TestSchedulerStatic reads a scheduler whose shift is fixed, as the pipeline would.
func TestSchedulerStatic(t *testing.T) {
	files := distilled(t)
	pipelinetest.Replace(t, files, "scheduler/scheduler_config.json", `"use_dynamic_shifting": true`, `"use_dynamic_shifting": false`)
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 0.75}, c.Scheduler.Flow(2, mu(16, 2)).Sigmas[:2])
}

func TestOptions(t *testing.T) {
	klein, err := readConfig(fixture(t, true))
	require.NoError(t, err)
	base, err := readConfig(fixture(t, false))
	require.NoError(t, err)

	o, err := Options{}.resolved(klein)
	require.NoError(t, err)
	require.Equal(t, Options{Height: 512, Width: 512, Steps: 4, TextTokens: 512}, o)
	o, err = Options{}.resolved(base)
	require.NoError(t, err)
	require.Equal(t, Options{Height: 512, Width: 512, Steps: 50, TextTokens: 512, Guidance: new(4.0)}, o)

	for field, o := range map[string]Options{
		"Height":     {Height: 72},
		"Width":      {Width: -16},
		"Steps":      {Steps: 1001},
		"TextTokens": {TextTokens: 1 << 20},
		"Guidance":   {Guidance: new(-1.0)},
		"Checkpoint": {Checkpoint: 7},
	} {
		_, err := o.resolved(base)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
	for field, o := range map[string]Options{"Guidance": {Guidance: new(4.0)}, "NegativePrompt": {NegativePrompt: "blurred"}} {
		_, err := o.resolved(klein)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
}

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	const vae = "vae/diffusion_pytorch_model.safetensors"
	const shard = "transformer/diffusion_pytorch_model-00003-of-00003.safetensors"
	rt := golden.Plain(t)
	pipelinetest.OpenRefused(t, rt, distilled, map[string]pipelinetest.Spoilt{
		"missing shard": pipelinetest.Deleted(shard, shard),
		"truncated":     pipelinetest.Truncated(vae),
		"no statistics": pipelinetest.Replaced(vae, `"bn.running_var"`, `"bn.running_bar"`, weights.ErrMissing, "bn.running_var"),
		"surplus": pipelinetest.Replaced("transformer/config.json", `"num_single_layers": 3`, `"num_single_layers": 2`,
			weights.ErrSurplus, "single_transformer_blocks.2"),
		"another shape": pipelinetest.Replaced("transformer/config.json", `"mlp_ratio": 3.0`, `"mlp_ratio": 4.0`,
			weights.ErrShape, "ff.linear_in.weight"),
		"damaged tokenizer": pipelinetest.Overwritten("tokenizer/tokenizer.json", "{", tokenizer.ErrFormat, "tokenizer"),
	}, func(fsys fs.FS) error {
		_, err := OpenFS(t.Context(), rt, fsys, Options{})
		return err
	})
}

// TestRelease lets the text encoder go, and brings it back for a new prompt.
func TestRelease(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, distilled(t), Options{Height: 32, Width: 48, TextTokens: 16})
	require.NoError(t, err)
	pipelinetest.Released(t, rt, g, [2]string{"a red horse", "a red horse"}, 1, 16, 72)
	for v := range rt.Store.IterVariables() {
		require.NotContains(t, v.Path(), "layers.27", "behind what is read there is nothing in memory")
	}
}

func TestLatents(t *testing.T) {
	g, err := OpenFS(t.Context(), golden.Plain(t), distilled(t), Options{Height: 32, Width: 48, TextTokens: 16})
	require.NoError(t, err)
	two, err := g.Latents(7, 8)
	require.NoError(t, err)
	require.Equal(t, []int{2, 6, 32}, two.Shape().Dimensions)
	one, err := g.Latents(8)
	require.NoError(t, err)
	require.Equal(t, one.Value().([][][]float32)[0], two.Value().([][][]float32)[1])
}

// TestGuider: only a base model has a negative prompt.
func TestGuider(t *testing.T) {
	rt := golden.Plain(t)
	o := Options{Height: 32, Width: 32, TextTokens: 16}
	klein, err := OpenFS(t.Context(), rt, fixture(t, true), o)
	require.NoError(t, err)
	require.False(t, klein.Guides())
	require.Len(t, klein.Conditions(), 1)
	_, err = klein.EncodeGuided(t.Context(), "a fox", "a dog")
	require.ErrorContains(t, err, "guidance")
	base, err := OpenFS(t.Context(), rt, fixture(t, false), o)
	require.NoError(t, err)
	require.True(t, base.Guides())
	require.Len(t, base.Conditions(), 2)
	cond, err := base.EncodeGuided(t.Context(), "a fox", "a fox")
	require.NoError(t, err)
	require.True(t, cond[0].Equal(cond[1]))
}

// published are the configurations of the folders that Black Forest Labs publish, as far
// as they differ: the transformer's and text encoder's sizes.
var published = map[string]struct{ transformer, qwen string }{
	"4B": {
		`"num_layers": 5, "num_single_layers": 20, "num_attention_heads": 24, "joint_attention_dim": 7680`,
		`"hidden_size": 2560, "intermediate_size": 9728, "tie_word_embeddings": true`,
	},
	"9B": {
		`"num_layers": 8, "num_single_layers": 24, "num_attention_heads": 32, "joint_attention_dim": 12288`,
		`"hidden_size": 4096, "intermediate_size": 12288, "tie_word_embeddings": false`,
	},
}

// folder has the JSON files of a published folder.
func folder(size, isDistilled string) fstest.MapFS {
	four := func(name string) string { return strings.TrimSuffix(strings.Repeat(`"`+name+`", `, 4), ", ") }
	text := map[string]string{
		"model_index.json": `{"_class_name": "Flux2KleinPipeline", "_diffusers_version": "0.37.0.dev0", ` + isDistilled + `
			"scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "Qwen3ForCausalLM"],
			"tokenizer": ["transformers", "Qwen2TokenizerFast"], "transformer": ["diffusers", "Flux2Transformer2DModel"],
			"vae": ["diffusers", "AutoencoderKLFlux2"]}`,
		"scheduler/scheduler_config.json": `{"_class_name": "FlowMatchEulerDiscreteScheduler", "_diffusers_version": "0.37.0.dev0",
			"base_image_seq_len": 256, "base_shift": 0.5, "invert_sigmas": false, "max_image_seq_len": 4096, "max_shift": 1.15,
			"num_train_timesteps": 1000, "shift": 3.0, "shift_terminal": null, "stochastic_sampling": false,
			"time_shift_type": "exponential", "use_beta_sigmas": false, "use_dynamic_shifting": true,
			"use_exponential_sigmas": false, "use_karras_sigmas": false}`,
		"transformer/config.json": `{"_class_name": "Flux2Transformer2DModel", "_diffusers_version": "0.37.0.dev0", "_name_or_path": "x",
			"attention_head_dim": 128, "axes_dims_rope": [32, 32, 32, 32], "eps": 1e-06, "guidance_embeds": false,
			"in_channels": 128, "mlp_ratio": 3.0, "out_channels": null, "patch_size": 1, "rope_theta": 2000,
			"timestep_guidance_channels": 256, ` + published[size].transformer + `}`,
		"vae/config.json": `{"_class_name": "AutoencoderKLFlux2", "_diffusers_version": "0.37.0.dev0", "_name_or_path": "x", "act_fn": "silu",
			"batch_norm_eps": 0.0001, "batch_norm_momentum": 0.1, "block_out_channels": [128, 256, 512, 512],
			"down_block_types": [` + four("DownEncoderBlock2D") + `], "force_upcast": true, "in_channels": 3, "latent_channels": 32,
			"layers_per_block": 2, "mid_block_add_attention": true, "norm_num_groups": 32, "out_channels": 3, "patch_size": [2, 2],
			"sample_size": 1024, "up_block_types": [` + four("UpDecoderBlock2D") + `], "use_post_quant_conv": true, "use_quant_conv": true}`,
		"text_encoder/config.json": `{"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
			"bos_token_id": 151643, "dtype": "bfloat16", "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
			"initializer_range": 0.02, "layer_types": [` + strings.TrimSuffix(strings.Repeat(`"full_attention", `, 36), ", ") + `],
			"max_position_embeddings": 40960, "max_window_layers": 36, "model_type": "qwen3", "num_attention_heads": 32,
			"num_hidden_layers": 36, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000,
			"sliding_window": null, "transformers_version": "4.56.1", "use_cache": true, "use_sliding_window": false,
			"vocab_size": 151936, ` + published[size].qwen + `}`,
	}
	files := fstest.MapFS{}
	for name, data := range text {
		files[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return files
}

// TestPublished reads the configurations of the published folders, which for a base
// model need not say that it is one, and that of the small decoder.
func TestPublished(t *testing.T) {
	for size := range published {
		for setting, isDistilled := range map[string]bool{`"is_distilled": true,`: true, `"is_distilled": false,`: false, "": false} {
			files := folder(size, setting)
			c, err := readConfig(files)
			require.NoError(t, err, size)
			require.Equal(t, isDistilled, c.Distilled)
			pipelinetest.Replace(t, files, "vae/config.json", `"latent_channels"`, `"decoder_block_out_channels": [96, 192, 384, 384], "latent_channels"`)
			small, err := readConfig(files)
			require.NoError(t, err, size)
			require.Equal(t, c.Autoencoder.Packed(), small.Autoencoder.Packed())
			require.Equal(t, []int{96, 192, 384, 384}, small.Autoencoder.DecoderChannels)
		}
	}
}
