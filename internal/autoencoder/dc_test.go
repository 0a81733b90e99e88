package autoencoder

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestGoldenDC compares every module's output of the decoder, and the encoder's,
// with diffusers'.
func TestGoldenDC(t *testing.T) {
	test := func(t *testing.T, rt *backends.Runtime, f *golden.Fixture) {
		fsys := os.DirFS(f.Path("model"))
		cfg, err := ReadDCConfig(fsys, "vae")
		require.NoError(t, err)
		var decoder *DCDecoder
		var encoder *DCEncoder
		require.NoError(t, weights.Load(fsys, "vae", rt.Store, weights.Root(rt.Store, "/vae"), nil, func(c weights.Cursor) {
			decoder, encoder = NewDCDecoder(c, cfg), NewDCEncoder(c, cfg)
		}))
		c := coder{decoder.Apply, encoder.Apply, "in.fwd_latents", 2e-4}
		got := c.run(t, rt, f)
		normed := got["norm_out"]
		f.Modules(t, "vae.mod.", got, c.tolerance, func(x *tensors.Tensor) []float32 {
			if x == normed { // diffusers' own has its channels last
				return tensors.MustCopyFlatData[float32](x)
			}
			return channelsFirst(x)
		})
	}
	each(t, "sana", test)
	each(t, "sana_sprint", test)
}

const dcConfig = `{"_class_name": "AutoencoderDC", "attention_head_dim": 4, "latent_channels": 4,
	"encoder_block_types": "EfficientViTBlock", "encoder_block_out_channels": [4, 8], "encoder_layers_per_block": [1, 2], "encoder_qkv_multiscales": [[], [3]],
	"decoder_block_types": ["ResBlock", "EfficientViTBlock"], "decoder_block_out_channels": [4, 8], "decoder_layers_per_block": [1, 2], "decoder_qkv_multiscales": [[], [5, 3]]}`

func TestReadDCConfig(t *testing.T) {
	read := func(text string) (DCConfig, error) {
		return ReadDCConfig(fstest.MapFS{"vae/config.json": {Data: []byte(text)}}, "vae")
	}
	c, err := read(dcConfig)
	require.NoError(t, err)
	require.Equal(t, 2, c.Factor())
	require.Equal(t, vitBlock, c.EncoderBlocks.at(1))
	require.Equal(t, resBlock, c.DecoderBlocks.at(0))
	stock, err := read(`{"_class_name": "AutoencoderDC"}`)
	require.NoError(t, err)
	require.Equal(t, 32, stock.Factor())
	require.Equal(t, []int{3, 3, 3, 3, 3, 3}, stock.DecoderLayers)

	for _, test := range []struct{ old, new, names string }{
		{`"AutoencoderDC"`, `"AutoencoderKL"`, "_class_name"},
		{`"latent_channels": 4`, `"latent_channels": 3`, "latent_channels"},
		{`"latent_channels": 4`, `"latent_channels": 4, "decoder_norm_types": "batch_norm"`, "decoder_norm_types"},
		{`"latent_channels": 4`, `"latent_channels": 4, "decoder_act_fns": ["silu", "relu"]`, "decoder_act_fns"},
		{`"latent_channels": 4`, `"latent_channels": 4, "decoder_conv_act_fn": "silu"`, "decoder_conv_act_fn"},
		{`"latent_channels": 4`, `"latent_channels": 4, "upsample_block_type": "bilinear"`, "upsample_block_type"},
		{`"latent_channels": 4`, `"latent_channels": 4, "downsample_block_type": "pool"`, "downsample_block_type"},
		{`"latent_channels": 4`, `"latent_channels": 4, "scaling_factor": 0`, "scaling_factor"},
		{`"latent_channels": 4`, `"latent_channels": 4, "use_slicing": true`, "use_slicing"},
		{`"attention_head_dim": 4`, `"attention_head_dim": 16`, "attention_head_dim"},
		{`"encoder_layers_per_block": [1, 2]`, `"encoder_layers_per_block": [0, 2]`, "encoder_layers_per_block"},
		{`"decoder_layers_per_block": [1, 2]`, `"decoder_layers_per_block": [1]`, "decoder_layers_per_block"},
		{`"decoder_block_out_channels": [4, 8]`, `"decoder_block_out_channels": [4, 12]`, "decoder_block_out_channels"},
		{`"decoder_block_out_channels": [4, 8]`, `"decoder_block_out_channels": [4, 8, 8]`, "decoder_block_out_channels"},
		{`"encoder_block_types": "EfficientViTBlock"`, `"encoder_block_types": "Attention"`, "encoder_block_types"},
		{`[[], [5, 3]]`, `[[], [4]]`, "decoder_qkv_multiscales"},
	} {
		t.Run(test.new, func(t *testing.T) {
			require.Contains(t, dcConfig, test.old)
			_, err := read(strings.Replace(dcConfig, test.old, test.new, 1))
			require.ErrorContains(t, err, test.names)
			require.ErrorContains(t, err, "vae/config.json")
		})
	}
}
