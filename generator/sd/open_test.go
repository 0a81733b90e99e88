package sd

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/pipeline/pipelinetest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// checkpoint are the files of one, for tests that spoil some of them.
func checkpoint(t testing.TB) fstest.MapFS { return pipelinetest.Files(t, family) }

func TestReadConfigRefuses(t *testing.T) {
	const index, unet, scheduler = "model_index.json", "unet/config.json", "scheduler/scheduler_config.json"
	pipelinetest.ConfigRefused(t, checkpoint, []pipelinetest.Refused{
		{index, `"PNDMScheduler"`, `"FlowMatchEulerDiscreteScheduler"`, "scheduler"},
		{index, `"unet"`, `"transformer"`, "transformer"},
		{index, `"AutoencoderKL"`, `"AutoencoderTiny"`, "vae"},
		{unet, `"act_fn": "silu"`, `"act_fn": "relu"`, "act_fn"},
		{unet, `"act_fn": "silu"`, `"act_fn": "silu", "new_field": 1`, "new_field"},
		{unet, `"act_fn": "silu"`, `"act_fn": "silu", "addition_embed_type": "text_time"`, "addition_embed_type"},
		{unet, `"act_fn": "silu"`, `"act_fn": "silu", "only_cross_attention": true`, "only_cross_attention"},
		{unet, `"act_fn": "silu"`, `"act_fn": "silu", "mid_block_type": "UNetMidBlock2D"`, "mid_block_type"},
		{unet, `"attention_head_dim": 4`, `"attention_head_dim": 5`, "attention_head_dim"},
		{unet, `"attention_head_dim": 4`, `"attention_head_dim": [4, 4]`, "attention_head_dim"},
		{unet, `"attention_head_dim": 4`, `"attention_head_dim": "4"`, unet},
		{unet, `"center_input_sample": false`, `"center_input_sample": true`, "center_input_sample"},
		{unet, `"cross_attention_dim": 24`, `"cross_attention_dim": 32`, "cross_attention_dim"},
		{unet, `"DownBlock2D"`, `"AttnDownBlock2D"`, "down_block_types"},
		{unet, `"UpBlock2D"`, `"SimpleCrossAttnUpBlock2D"`, "up_block_types"},
		{unet, `"downsample_padding": 1`, `"downsample_padding": 0`, "downsample_padding"},
		{unet, `"in_channels": 4`, `"in_channels": 9`, "in_channels"},
		{unet, `"layers_per_block": 1`, `"layers_per_block": 1000`, "layers_per_block"},
		{unet, `"norm_num_groups": 8`, `"norm_num_groups": 7`, "norm_num_groups"},
		{unet, `"norm_eps": 1e-05`, `"norm_eps": -1`, "norm_eps"},
		{scheduler, `"beta_start": 0.00085`, `"beta_start": 0`, "beta_start"},
		{scheduler, `"scaled_linear"`, `"sigmoid"`, "beta_schedule"},
		{scheduler, `"steps_offset": 1`, `"steps_offset": 1, "thresholding": true`, "thresholding"},
		{scheduler, `"steps_offset": 1`, `"steps_offset": 1, "prediction_type": "flow"`, "prediction_type"},
		{scheduler, `"steps_offset": 1`, `"steps_offset": 1, "rescale_betas_zero_snr": true`, "rescale_betas_zero_snr"},
		{scheduler, `"PNDMScheduler"`, `"EulerDiscreteScheduler", "timestep_type": "continuous"`, "timestep_type"},
		{scheduler, `"PNDMScheduler"`, `"UniPCMultistepScheduler", "use_flow_sigmas": true`, "use_flow_sigmas"},
		{scheduler, `"PNDMScheduler"`, `"EulerDiscreteScheduler", "sigma_max": 80.0`, "sigma_max"},
		{scheduler, `"PNDMScheduler"`, `"LCMScheduler"`, "_class_name"},
		{scheduler, `"num_train_timesteps": 1000`, `"num_train_timesteps": 1`, "num_train_timesteps"},
		{"vae/config.json", `"norm_num_groups": 4`, `"norm_num_groups": 3`, "norm_num_groups"},
		{"text_encoder/config.json", `"quick_gelu"`, `"gelu"`, "hidden_act"},
	}, func(fsys fs.FS) error {
		_, err := readConfig(fsys)
		return err
	})
}

// TestReadConfig accepts what later versions of diffusers write into the same
// files, and the parts that pipelines have and we have no use for.
func TestReadConfig(t *testing.T) {
	files := checkpoint(t)
	pipelinetest.Replace(t, files, "unet/config.json", `"act_fn": "silu"`, `"act_fn": "silu", "only_cross_attention": false, "num_class_embeds": null,
		"resnet_time_scale_shift": "default", "upcast_attention": true, "dropout": 0.0`)
	pipelinetest.Replace(t, files, "unet/config.json", `"attention_head_dim": 4`, `"attention_head_dim": [2, 4, 8, 8]`)
	pipelinetest.Replace(t, files, "model_index.json", `"feature_extractor": [
    null,
    null
  ]`, `"feature_extractor": ["transformers", "CLIPImageProcessor"]`)
	c, err := readConfig(files)
	require.NoError(t, err)
	require.Equal(t, 8, c.UNet.Heads.at(2))
	require.Equal(t, 0.18215, c.Autoencoder.Scaling)
}

func TestOptions(t *testing.T) {
	c, err := readConfig(checkpoint(t))
	require.NoError(t, err)
	o, err := Options{}.resolved(c)
	require.NoError(t, err)
	require.Equal(t, Options{Height: 512, Width: 512, Steps: 50, Guidance: new(7.5)}, o)
	for field, o := range map[string]Options{
		"Height":     {Height: 70},
		"Width":      {Width: -8},
		"Steps":      {Steps: 1000},
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
	const vae, shard = "vae/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model-00002-of-00003.safetensors"
	rt := golden.Plain(t)
	pipelinetest.OpenRefused(t, rt, checkpoint, map[string]pipelinetest.Spoilt{
		"missing shard": pipelinetest.Deleted(shard, shard),
		"truncated":     pipelinetest.Truncated(vae),
		"another name": pipelinetest.Replaced(vae, `"decoder.mid_block.attentions.0.query.weight"`, `"decoder.mid_block.attentions.0.quary.weight"`,
			weights.ErrMissing, "decoder.mid_block.attentions.0.to_q.weight"),
		"surplus": pipelinetest.Replaced("unet/config.json", `"CrossAttnDownBlock2D"`, `"DownBlock2D"`,
			weights.ErrSurplus, "down_blocks.0.attentions.0"),
		"another shape": pipelinetest.Replaced("text_encoder/config.json", `"intermediate_size": 48`, `"intermediate_size": 49`,
			weights.ErrShape, "mlp.fc1.weight"),
		"linear projections": pipelinetest.Replaced("unet/config.json", `"act_fn": "silu"`, `"act_fn": "silu", "use_linear_projection": true`,
			weights.ErrShape, "proj_in.weight"),
		"no tokenizer": pipelinetest.Deleted("tokenizer/vocab.json", "vocab.json"),
	}, func(fsys fs.FS) error {
		_, err := OpenFS(t.Context(), rt, fsys, Options{})
		return err
	})
}

// TestEncode sees what guidance needs beside the prompt, and lets the text encoder
// go.
func TestEncode(t *testing.T) {
	rt, files := golden.Plain(t), checkpoint(t)
	open := func(o Options) *Generator {
		g, err := OpenFS(t.Context(), rt, files, o)
		require.NoError(t, err)
		return g
	}
	g := open(Options{Height: 40, Width: 56})
	all := rt.Store.NumVariables()
	noise, err := g.Latents(1, 2)
	require.NoError(t, err)
	require.Equal(t, []int{2, 4, 5, 7}, noise.Shape().Dimensions)

	plain, err := g.Encode(t.Context(), "a red horse")
	require.NoError(t, err)
	require.Len(t, plain, 2)
	require.NoError(t, g.Release())
	require.Less(t, rt.Store.NumVariables(), all)
	none, err := g.Encode(t.Context(), "")
	require.NoError(t, err)
	require.True(t, none[0].Equal(plain[1]))
	require.Less(t, rt.Store.NumVariables(), all, "what is remembered needs no weights")

	negative, err := open(Options{NegativePrompt: "a red horse"}).Encode(t.Context(), "")
	require.NoError(t, err)
	require.True(t, negative[0].Equal(plain[1]) && negative[1].Equal(plain[0]))
	other, err := g.EncodeGuided(t.Context(), "", "a red horse")
	require.NoError(t, err)
	require.True(t, g.Guides() && other[0].Equal(plain[1]) && other[1].Equal(plain[0]))
	unguided := open(Options{Guidance: new(1.0), Checkpoint: backends.CheckpointOff})
	alone, err := unguided.Encode(t.Context(), "a red horse")
	require.NoError(t, err)
	require.Len(t, alone, 1)
	require.False(t, unguided.Guides())
	_, err = unguided.EncodeGuided(t.Context(), "a red horse", "a dog")
	require.ErrorContains(t, err, "guidance is off")
}

// TestHalf compares a prediction and a picture in bfloat16 with those in float32.
func TestHalf(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, checkpoint(t), Options{Height: 40, Width: 56})
	require.NoError(t, err)
	cond, err := g.Encode(t.Context(), "a red horse")
	require.NoError(t, err)
	noise, err := g.Latents(1)
	require.NoError(t, err)
	run := func() golden.Results {
		return golden.Run(t, rt, func(in []*Node) golden.Outputs {
			prediction := g.Predict(nil, in[0], in[1], in[2:])
			clean := g.Clean(in[0], prediction, in[1])
			gradient := Gradient(ReduceAllSum(Square(g.Decode(clean))), in[0])[0]
			return golden.Outputs{"prediction": prediction, "gradient": gradient}
		}, pipelinetest.Flatten(noise, int32(25), cond)...)
	}
	full := run()
	rt.DType = dtypes.BFloat16
	for name, x := range run() {
		require.NoError(t, golden.Close(tensors.MustCopyFlatData[float32](x), full.Floats(t, name), 0.1), name)
		require.Error(t, golden.Close(tensors.MustCopyFlatData[float32](x), full.Floats(t, name), 1e-5), name)
	}
}
