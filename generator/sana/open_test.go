package sana

import (
	"fmt"
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
	index, transformerJSON = "model_index.json", "transformer/config.json"
	scheduler              = "scheduler/scheduler_config.json"
	vae                    = "vae/diffusion_pytorch_model.safetensors"
	shard                  = "transformer/diffusion_pytorch_model-00002-of-00003.safetensors"
)

func TestReadConfigRefuses(t *testing.T) {
	pipelinetest.ConfigRefused(t, checkpoint, []pipelinetest.Refused{
		{index, `"Gemma2Model"`, `"T5EncoderModel"`, "text_encoder"},
		{index, `"vae"`, `"vea"`, "vea"},
		{index, `"AutoencoderDC"`, `"AutoencoderKL"`, "vae"},
		{transformerJSON, `"patch_size": 1`, `"patch_size": 2`, "patch_size"},
		{transformerJSON, `"patch_size": 1`, `"patch_size": 1, "rope": true`, "rope"},
		{transformerJSON, `"num_layers": 3`, `"num_layers": -3`, "num_layers"},
		{transformerJSON, `"num_layers": 3`, `"num_layers": "3"`, "num_layers"},
		{transformerJSON, `"in_channels": 32`, `"in_channels": 16`, "out_channels"},
		{transformerJSON, `"cross_attention_dim": 32`, `"cross_attention_dim": 24`, "cross_attention_dim"},
		{transformerJSON, `"cross_attention_dim": 32`, `"cross_attention_dim": null`, "cross_attention_dim"},
		{transformerJSON, `"caption_channels": 24`, `"caption_channels": 25`, "caption_channels"},
		{transformerJSON, `"guidance_embeds": false`, `"guidance_embeds": true`, "guidance_embeds"},
		{transformerJSON, `"interpolation_scale": null`, `"interpolation_scale": 2`, "interpolation_scale"},
		{transformerJSON, `"qk_norm": null`, `"qk_norm": "rms_norm"`, "qk_norm"},
		{transformerJSON, `"mlp_ratio": 2.5`, `"mlp_ratio": 0`, "mlp_ratio"},
		{transformerJSON, `"norm_eps": 1e-06`, `"norm_eps": 0`, "norm_eps"},
		{transformerJSON, `"timestep_scale": 1.0`, `"timestep_scale": -1.0`, "timestep_scale"},
		{transformerJSON, `"SanaTransformer2DModel"`, `"SD3Transformer2DModel"`, "_class_name"},
		{scheduler, `"DPMSolverMultistepScheduler"`, `"SCMScheduler"`, "_class_name"},
		{scheduler, `"DPMSolverMultistepScheduler"`, `"FlowMatchEulerDiscreteScheduler"`, "unknown field"},
		{scheduler, `"flow_shift": 3.0`, `"flow_shift": -3.0`, "shift"},
		{scheduler, `"use_flow_sigmas": true`, `"use_flow_sigmas": false`, "use_flow_sigmas"},
		{scheduler, `"solver_order": 2`, `"solver_order": 3`, "solver_order"},
		{scheduler, `"solver_type": "midpoint"`, `"solver_type": "heun"`, "solver_type"},
		{scheduler, `"algorithm_type": "dpmsolver++"`, `"algorithm_type": "sde-dpmsolver++"`, "algorithm_type"},
		{scheduler, `"final_sigmas_type": "zero"`, `"final_sigmas_type": "sigma_min"`, "final_sigmas_type"},
		{scheduler, `"lambda_min_clipped": -Infinity`, `"lambda_min_clipped": -5`, "lambda_min_clipped"},
		{"vae/config.json", `"decoder_conv_act_fn": "relu"`, `"decoder_conv_act_fn": "silu"`, "decoder_conv_act_fn"},
		{"text_encoder/config.json", `"gemma2"`, `"gemma3_text"`, "model_type"},
		{"text_encoder/config.json", `"num_attention_heads": 4`, `"num_attention_heads": 3`, "num_attention_heads"},
	}, func(fsys fs.FS) error {
		_, err := readConfig(fsys)
		return err
	})
}

// TestReadConfigRefusesChannels changes one of two files that no longer fit together;
// the error is about the other.
func TestReadConfigRefusesChannels(t *testing.T) {
	files := checkpoint(t)
	pipelinetest.Replace(t, files, "vae/config.json", `"latent_channels": 32`, `"latent_channels": 16`)
	_, err := readConfig(files)
	require.ErrorContains(t, err, "in_channels")
}

// TestPublished reads the configurations of Sana 1.5 as published, which are those that
// diffusers' script makes of them.
func TestPublished(t *testing.T) {
	for name, layers := range map[string]int{"SANA1.5_1.6B_1024px_diffusers": 20, "SANA1.5_4.8B_1024px_diffusers": 60} {
		t.Run(name, func(t *testing.T) {
			files := checkpoint(t)
			pipelinetest.Published(files, map[string]string{
				transformerJSON: fmt.Sprintf(`{"_class_name": "SanaTransformer2DModel", "_diffusers_version": "0.33.0.dev0", "attention_bias": false,
					"attention_head_dim": 32, "caption_channels": 2304, "cross_attention_dim": 2240, "cross_attention_head_dim": 112, "dropout": 0.0,
					"guidance_embeds": false, "guidance_embeds_scale": 0.1, "in_channels": 32, "interpolation_scale": null, "mlp_ratio": 2.5,
					"norm_elementwise_affine": false, "norm_eps": 1e-06, "num_attention_heads": 70, "num_cross_attention_heads": 20, "num_layers": %d,
					"out_channels": 32, "patch_size": 1, "qk_norm": "rms_norm_across_heads", "sample_size": 32, "timestep_scale": 1.0}`, layers),
				"vae/config.json":          pipelinetest.PublishedDC,
				"text_encoder/config.json": pipelinetest.PublishedGemma,
			})
			c, err := readConfig(files)
			require.NoError(t, err)
			o, err := Options{}.resolved(c)
			require.NoError(t, err)
			require.Equal(t, []int{1024, 1024}, []int{o.Height, o.Width})
		})
	}
}

func TestReadEuler(t *testing.T) {
	files := checkpoint(t)
	pipelinetest.Replace(t, files, "model_index.json", dpmClass, eulerClass)
	files["scheduler/scheduler_config.json"] = &fstest.MapFile{Data: []byte(`{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 2.5}`)}
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, schedulerConfig{eulerClass, 1000, 2.5}, c.Scheduler)
	o, err := Options{}.resolved(c)
	require.NoError(t, err)
	require.Equal(t, Euler, o.Solver)
	require.Equal(t, 2.5, o.Shift)
}

func TestOptions(t *testing.T) {
	c, err := readConfig(checkpoint(t))
	require.NoError(t, err)
	o, err := Options{}.resolved(c)
	require.NoError(t, err)
	require.Equal(t, Options{
		Height: 512, Width: 512, Steps: 20, TextTokens: 300, Guidance: new(4.5), Instruction: new(DefaultInstruction), Solver: DPM, Shift: 3,
	}, o)
	for field, o := range map[string]Options{
		"Height":     {Height: 72},
		"Width":      {Width: -32},
		"Steps":      {Steps: -1},
		"TextTokens": {TextTokens: 1 << 20},
		"Guidance":   {Guidance: new(-1.0)},
		"Shift":      {Shift: -1},
		"Solver":     {Solver: 7},
		"Checkpoint": {Checkpoint: 7},
	} {
		_, err := o.resolved(c)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
}

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	rt := golden.Plain(t)
	pipelinetest.OpenRefused(t, rt, checkpoint, map[string]pipelinetest.Spoilt{
		"missing shard": pipelinetest.Deleted(shard, shard),
		"truncated":     pipelinetest.Truncated(vae),
		"another name": pipelinetest.Replaced(vae, `"decoder.conv_in.bias"`, `"decoder.conv_on.bias"`,
			weights.ErrMissing, "decoder.conv_in.bias"),
		"surplus": pipelinetest.Replaced(transformerJSON, `"num_layers": 3`, `"num_layers": 2`,
			weights.ErrSurplus, "transformer_blocks.2"),
		"another shape": pipelinetest.Replaced("text_encoder/config.json", `"intermediate_size": 48`, `"intermediate_size": 49`,
			weights.ErrShape, "mlp.gate_proj.weight"),
		"no tokenizer": {Spoil: func(_ *testing.T, files fstest.MapFS) {
			delete(files, "tokenizer/tokenizer.json")
			delete(files, "tokenizer/tokenizer.model")
		}, Want: fs.ErrNotExist, Names: "tokenizer"},
		"damaged tokenizer": pipelinetest.Overwritten("tokenizer/tokenizer.json", "{", tokenizer.ErrFormat, "tokenizer"),
	}, func(fsys fs.FS) error {
		_, err := OpenFS(t.Context(), rt, fsys, Options{})
		return err
	})
}

// TestRelease lets the text encoder go, and brings it back for a new prompt.
func TestRelease(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, checkpoint(t), Options{Height: 32, Width: 64, TextTokens: 8, Instruction: new("Draw this: ")})
	require.NoError(t, err)
	pipelinetest.Released(t, rt, g, [2]string{" A red HORSE", "a red horse"}, 1, 8, 24)
	cond, err := g.Encode(t.Context(), "a red horse")
	require.NoError(t, err)
	require.Len(t, cond, 4)
}

func TestLatents(t *testing.T) {
	g, err := OpenFS(t.Context(), golden.Plain(t), checkpoint(t), Options{Height: 32, Width: 96, TextTokens: 8})
	require.NoError(t, err)
	two, err := g.Latents(7, 8)
	require.NoError(t, err)
	require.Equal(t, []int{2, 32, 1, 3}, two.Shape().Dimensions)
}
