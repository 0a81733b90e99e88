package sanasprint

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// checkpoint are the files of one, for tests that spoil some of them.
func checkpoint(t testing.TB) fstest.MapFS { return pipelinetest.Files(t, family) }

const (
	index, transformerJSON = "model_index.json", "transformer/config.json"
	scheduler              = "scheduler/scheduler_config.json"
)

func TestReadConfigRefuses(t *testing.T) {
	pipelinetest.ConfigRefused(t, checkpoint, []pipelinetest.Refused{
		{index, `"SCMScheduler"`, `"DPMSolverMultistepScheduler"`, "scheduler"},
		{index, `"AutoencoderDC"`, `"AutoencoderKL"`, "vae"},
		{transformerJSON, `"guidance_embeds": true`, `"guidance_embeds": false`, "guidance_embeds"},
		{transformerJSON, `"guidance_embeds": true,`, ``, "guidance_embeds"}, // whose default is false
		{transformerJSON, `"guidance_embeds_scale": 0.1`, `"guidance_embeds_scale": -0.1`, "guidance_embeds_scale"},
		{transformerJSON, `"qk_norm": "rms_norm_across_heads"`, `"qk_norm": "layer_norm"`, "qk_norm"},
		{transformerJSON, `"patch_size": 1`, `"patch_size": 2`, "patch_size"},
		{scheduler, `"SCMScheduler"`, `"LCMScheduler"`, "_class_name"},
		{scheduler, `"trigflow"`, `"epsilon"`, "prediction_type"},
		{scheduler, `"sigma_data": 0.5`, `"sigma_data": 0`, "sigma_data"},
		{scheduler, `"sigma_data": 0.5`, `"sigma_data": 0.5, "sigma_min": 0.1`, "sigma_min"},
		{scheduler, `"num_train_timesteps": 1000`, `"num_train_timesteps": 0`, "num_train_timesteps"},
	}, func(fsys fs.FS) error {
		_, err := readConfig(fsys)
		return err
	})
}

// TestPublished reads the configurations of the published models, as diffusers' script
// that converts them makes them.
func TestPublished(t *testing.T) {
	for name, sizes := range map[string]string{
		"Sana_Sprint_0.6B_1024px_diffusers": `"num_layers": 28, "num_attention_heads": 36, "num_cross_attention_heads": 16, "cross_attention_head_dim": 72, "cross_attention_dim": 1152,`,
		"Sana_Sprint_1.6B_1024px_diffusers": `"num_layers": 20, "num_attention_heads": 70, "num_cross_attention_heads": 20, "cross_attention_head_dim": 112, "cross_attention_dim": 2240,`,
	} {
		t.Run(name, func(t *testing.T) {
			files := checkpoint(t)
			pipelinetest.Published(files, map[string]string{
				transformerJSON: `{"_class_name": "SanaTransformer2DModel", "_diffusers_version": "0.33.0.dev0", "attention_bias": false, "attention_head_dim": 32,
					"caption_channels": 2304, "dropout": 0.0, "guidance_embeds": true, "guidance_embeds_scale": 0.1, "in_channels": 32, "interpolation_scale": null,
					` + sizes + ` "mlp_ratio": 2.5, "norm_elementwise_affine": false, "norm_eps": 1e-06, "out_channels": 32, "patch_size": 1,
					"qk_norm": "rms_norm_across_heads", "sample_size": 32, "timestep_scale": 1.0}`,
				scheduler:                  `{"_class_name": "SCMScheduler", "_diffusers_version": "0.33.0.dev0", "num_train_timesteps": 1000, "prediction_type": "trigflow", "sigma_data": 0.5}`,
				"vae/config.json":          pipelinetest.PublishedDC,
				"text_encoder/config.json": pipelinetest.PublishedGemma,
			})
			c, err := readConfig(files)
			require.NoError(t, err)
			o, err := Options{}.resolved(c)
			require.NoError(t, err)
			require.Equal(t, Options{Height: 1024, Width: 1024, Steps: 2, TextTokens: 300, Guidance: new(4.5), Instruction: new(DefaultInstruction)}, o)
		})
	}
}

func TestOptions(t *testing.T) {
	c, err := readConfig(checkpoint(t))
	require.NoError(t, err)
	for field, o := range map[string]Options{
		"Height":     {Height: 72},
		"Width":      {Width: -32},
		"Steps":      {Steps: 1001},
		"TextTokens": {TextTokens: 1 << 20},
		"Guidance":   {Guidance: new(-1.0)},
		"Checkpoint": {Checkpoint: 7},
	} {
		_, err := o.resolved(c)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
}

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	const shard = "transformer/diffusion_pytorch_model-00002-of-00003.safetensors"
	rt := golden.Plain(t)
	pipelinetest.OpenRefused(t, rt, checkpoint, map[string]pipelinetest.Spoilt{
		"missing shard": pipelinetest.Deleted(shard, shard),
		"no norm of queries": pipelinetest.Replaced(transformerJSON, `"qk_norm": "rms_norm_across_heads"`, `"qk_norm": null`,
			weights.ErrSurplus, "norm_"),
		"surplus": pipelinetest.Replaced(transformerJSON, `"num_layers": 3`, `"num_layers": 2`, weights.ErrSurplus, "transformer_blocks.2"),
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
}

// TestLatents: the noise of a seed holds that of all steps.
func TestLatents(t *testing.T) {
	g, err := OpenFS(t.Context(), golden.Plain(t), checkpoint(t), Options{Height: 32, Width: 96, Steps: 4, TextTokens: 8})
	require.NoError(t, err)
	two, err := g.Latents(7, 8)
	require.NoError(t, err)
	require.Equal(t, []int{2, 4, 32, 1, 3}, two.Shape().Dimensions)
	require.Equal(t, 1000, g.Levels())
}
