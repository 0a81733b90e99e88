package autoencoder

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestGoldenFlux2 compares every module's output of the decoder, what it makes of packed
// latents, and the encoder's, with diffusers'.
func TestGoldenFlux2(t *testing.T) {
	const tolerance = 5e-5 // of the largest element, from the fixtures' README
	each(t, "flux2", func(t *testing.T, rt *backends.Runtime, f *golden.Fixture) {
		fsys := os.DirFS(f.Path("model"))
		cfg, err := ReadFlux2Config(fsys, "vae")
		require.NoError(t, err)
		var decoder *Flux2Decoder
		var encoder *Encoder
		root := weights.Root(rt.Store, "/vae")
		counted := func(name string) bool { return name == "bn.num_batches_tracked" }
		require.NoError(t, weights.Load(fsys, "vae", rt.Store, root, counted, func(c weights.Cursor) {
			decoder, encoder = NewFlux2Decoder(c, cfg), NewEncoder(c, cfg.KLConfig)
		}))
		var about struct{ Spec struct{ Height, Width int } }
		f.Decode(t, &about)
		rows, cols := about.Spec.Height/(2*cfg.Factor()), about.Spec.Width/(2*cfg.Factor())
		got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
			pass := nn.Pass{Recorder: &nn.Recorder{}}
			image := decoder.Apply(pass, Reshape(in[0], 1, rows, cols, -1), dtypes.Float32)
			out := f.Recorded("vae.mod.", pass.Recorder, "decoder")
			out["image"], out["encode"] = image, encoder.mean(nn.Pass{}, channelsLast(in[1]))
			out["decoder_input"], out["post_quant"] = pass.Recorder.Output("unpacked"), pass.Recorder.Output("post_quant_conv")
			out["unpacked again"] = decoder.unpack(nn.Pass{}, Reshape(in[2], 1, rows, cols, -1))
			return out
		}, f.Tensor(t, "in.fwd_latents"), f.Tensor(t, "in.target"), f.Tensor(t, "vae.encode_normalized"))
		for _, key := range []string{"image", "encode", "decoder_input", "post_quant"} {
			f.Compare(t, "vae."+key, channelsFirst(got[key]), tolerance)
		}
		f.Compare(t, "vae.encode", channelsFirst(got["unpacked again"]), tolerance) // what the encoder found, normalised and packed
		f.Modules(t, "vae.mod.", got, tolerance, func(x *tensors.Tensor) []float32 { return channelsFirst(x) })
	})
}

const flux2Config = `{"_class_name": "AutoencoderKLFlux2", "latent_channels": 8, "norm_num_groups": 4, "block_out_channels": [8, 16, 16, 16],
	"decoder_block_out_channels": [4, 8, 12, 16], "batch_norm_momentum": 0.1, "patch_size": [2, 2]}`

func TestReadFlux2Config(t *testing.T) {
	read := func(text string) (Flux2Config, error) {
		return ReadFlux2Config(fstest.MapFS{"vae/config.json": {Data: []byte(text)}}, "vae")
	}
	c, err := read(flux2Config)
	require.NoError(t, err)
	require.Equal(t, 32, c.Packed())
	require.Equal(t, []int{4, 8, 12, 16}, c.decoder().Channels)
	stock, err := read(`{"_class_name": "AutoencoderKLFlux2", "decoder_block_out_channels": null}`)
	require.NoError(t, err)
	require.Equal(t, []int{128, 256, 512, 512}, stock.decoder().Channels)
	require.Equal(t, 128, stock.Packed())
	require.Equal(t, 8, stock.Factor())

	for _, test := range []struct{ old, new, names string }{
		{`"AutoencoderKLFlux2"`, `"AutoencoderKL"`, "_class_name"},
		{`[2, 2]`, `[1, 1]`, "patch_size"},
		{`[2, 2]`, `[2]`, "patch_size"},
		{`[4, 8, 12, 16]`, `[4, 8, 16]`, "decoder_block_out_channels"},
		{`[4, 8, 12, 16]`, `[4, 8, 12, 18]`, "decoder_block_out_channels"},
		{`[8, 16, 16, 16]`, `[8, 16, 16, 18]`, "block_out_channels has 18"},
		{`"latent_channels": 8`, `"latent_channels": 0`, "latent_channels"},
		{`"latent_channels": 8`, `"latent_channels": 8, "batch_norm_eps": 0`, "batch_norm_eps"},
		{`"latent_channels": 8`, `"latent_channels": 8, "scaling_factor": 0.36`, "scaling_factor"},
		{`"latent_channels": 8`, `"latent_channels": 8, "shift_factor": 0.1`, "shift_factor"},
		{`"latent_channels": 8`, `"latent_channels": 8, "act_fn": "relu"`, "act_fn"},
		{`"latent_channels": 8`, `"latent_channels": 8, "surprise": 1`, "surprise"},
	} {
		t.Run(test.new, func(t *testing.T) {
			require.Contains(t, flux2Config, test.old)
			_, err := read(strings.Replace(flux2Config, test.old, test.new, 1))
			require.ErrorContains(t, err, test.names)
			require.ErrorContains(t, err, "vae/config.json")
		})
	}
}
