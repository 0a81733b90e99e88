package flux

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

// fixtureWith returns the files of a FLUX fixture with or without guidance.
func fixtureWith(t testing.TB, guidance bool) fstest.MapFS {
	for _, r := range pipelinetest.Find(t, family) {
		files := r.Model(t, "model")
		c, err := readConfig(files)
		require.NoError(t, err)
		if c.Transformer.Guidance == guidance {
			return files
		}
	}
	require.Fail(t, "no such fixture")
	return nil
}

// schnell are the files of a checkpoint without guidance, for tests that spoil some
// of them.
func schnell(t testing.TB) fstest.MapFS { return fixtureWith(t, false) }

func TestReadConfigRefuses(t *testing.T) {
	const index, transformer, scheduler = "model_index.json", "transformer/config.json", "scheduler/scheduler_config.json"
	pipelinetest.ConfigRefused(t, schnell, []pipelinetest.Refused{
		{index, `"CLIPTextModel"`, `"CLIPTextModelWithProjection"`, "text_encoder"},
		{index, `"vae"`, `"vea"`, "vea"},
		{index, `"AutoencoderKL"`, `"AutoencoderTiny"`, "vae"},
		{transformer, `"patch_size": 1`, `"patch_size": 2`, "patch_size"},
		{transformer, `"patch_size": 1`, `"patch_size": 1, "qk_norm": "rms"`, "qk_norm"},
		{transformer, `"num_layers": 2`, `"num_layers": -2`, "num_layers"},
		{transformer, `"num_layers": 2`, `"num_layers": 2000000000`, "num_layers"},
		{transformer, `"num_layers": 2`, `"num_layers": "2"`, "num_layers"},
		{transformer, `"attention_head_dim": 16`, `"attention_head_dim": 18`, "axes_dims_rope"},
		{transformer, `"in_channels": 64`, `"in_channels": 60`, "in_channels"},
		{transformer, `"joint_attention_dim": 32`, `"joint_attention_dim": 33`, "joint_attention_dim"},
		{transformer, `"FluxTransformer2DModel"`, `"SD3Transformer2DModel"`, "_class_name"},
		{scheduler, `"shift": 1.0`, `"shift": -1.0`, "shift"},
		{scheduler, `"shift": 1.0`, `"shift": 1.0, "use_karras_sigmas": true`, "use_karras_sigmas"},
		{scheduler, `"shift": 1.0`, `"shift": 1.0, "shift_terminal": 0.1`, "shift_terminal"},
		{scheduler, `"max_image_seq_len": 4096`, `"max_image_seq_len": 256`, "max_image_seq_len"},
		{"vae/config.json", `"act_fn": "silu"`, `"act_fn": "relu"`, "act_fn"},
		{"vae/config.json", `"norm_num_groups": 4`, `"norm_num_groups": 3`, "norm_num_groups"},
		{"vae/config.json", `"latents_mean": null`, `"latents_mean": [0]`, "latents_mean"},
		{"text_encoder/config.json", `"quick_gelu"`, `"gelu"`, "hidden_act"},
		{"text_encoder/config.json", `"num_attention_heads": 3`, `"num_attention_heads": 5`, "num_attention_heads"},
		{"text_encoder_2/config.json", `"gated-gelu"`, `"relu"`, "feed_forward_proj"},
		{"text_encoder_2/config.json", `"d_model": 32`, `"d_model": 0`, "d_model"},
	}, func(fsys fs.FS) error {
		_, err := readConfig(fsys)
		return err
	})
}

func TestOptions(t *testing.T) {
	schnell, err := readConfig(fixtureWith(t, false))
	require.NoError(t, err)
	dev, err := readConfig(fixtureWith(t, true))
	require.NoError(t, err)

	o, err := Options{}.resolved(schnell)
	require.NoError(t, err)
	require.Equal(t, Options{Height: 512, Width: 512, Steps: 1, TextTokens: 512}, o)
	o, err = Options{}.resolved(dev)
	require.NoError(t, err)
	require.Equal(t, Options{Height: 512, Width: 512, Steps: 28, TextTokens: 512, Guidance: new(3.5)}, o)

	for field, o := range map[string]Options{
		"Height":     {Height: 72},
		"Width":      {Width: -16},
		"Steps":      {Steps: -1},
		"TextTokens": {TextTokens: 1 << 20},
		"Guidance":   {Guidance: new(-1.0)},
		"Checkpoint": {Checkpoint: 7},
	} {
		_, err := o.resolved(dev)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
	_, err = Options{Guidance: new(1.0)}.resolved(schnell)
	require.ErrorIs(t, err, ErrOptions)
}

// TestOpenRefuses spoils the folder of a checkpoint in one way at a time.
func TestOpenRefuses(t *testing.T) {
	const vae = "vae/diffusion_pytorch_model.safetensors"
	const shard = "transformer/diffusion_pytorch_model-00002-of-00002.safetensors"
	rt := golden.Plain(t)
	pipelinetest.OpenRefused(t, rt, schnell, map[string]pipelinetest.Spoilt{
		"missing shard": pipelinetest.Deleted(shard, shard),
		"truncated":     pipelinetest.Truncated(vae),
		"another name": pipelinetest.Replaced(vae, `"decoder.conv_in.bias"`, `"decoder.conv_on.bias"`,
			weights.ErrMissing, "decoder.conv_in.bias"),
		"surplus": pipelinetest.Replaced("transformer/config.json", `"num_single_layers": 3`, `"num_single_layers": 2`,
			weights.ErrSurplus, "single_transformer_blocks.2"),
		"another shape": pipelinetest.Replaced("text_encoder/config.json", `"intermediate_size": 48`, `"intermediate_size": 49`,
			weights.ErrShape, "mlp.fc1.weight"),
		"no tokenizer":      pipelinetest.Deleted("tokenizer/vocab.json", "vocab.json"),
		"damaged tokenizer": pipelinetest.Overwritten("tokenizer_2/tokenizer.json", "{", tokenizer.ErrFormat, "tokenizer_2"),
	}, func(fsys fs.FS) error {
		_, err := OpenFS(t.Context(), rt, fsys, Options{})
		return err
	})
}

// TestRelease lets the text encoders go, and brings them back for a new prompt.
func TestRelease(t *testing.T) {
	rt := golden.Plain(t)
	g, err := OpenFS(t.Context(), rt, fixtureWith(t, false), Options{Height: 32, Width: 48, TextTokens: 8})
	require.NoError(t, err)
	pipelinetest.Released(t, rt, g, [2]string{"a red horse", "a red horse"}, 1, 8, 32)
}

func TestLatents(t *testing.T) {
	g, err := OpenFS(t.Context(), golden.Plain(t), fixtureWith(t, false), Options{Height: 32, Width: 48, TextTokens: 8})
	require.NoError(t, err)
	two, err := g.Latents(7, 8)
	require.NoError(t, err)
	require.Equal(t, []int{2, 6, 64}, two.Shape().Dimensions)
	one, err := g.Latents(8)
	require.NoError(t, err)
	require.Equal(t, one.Value().([][][]float32)[0], two.Value().([][][]float32)[1])
}
