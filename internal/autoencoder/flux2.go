package autoencoder

import (
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Flux2Config sizes an AutoencoderKLFlux2: that of KL, whose latents are packed by
// squares of 2x2 and then normalised by the statistics of a batch norm, in place of one
// scale and shift for all. The fields are those of diffusers' config.json.
type Flux2Config struct {
	KLConfig
	DecoderChannels []int   `json:"decoder_block_out_channels"` // as Channels; nil = those
	Epsilon         float64 `json:"batch_norm_eps"`
	PatchSize       []int   `json:"patch_size"`

	Momentum any `json:"batch_norm_momentum"` // of the training
}

// patch is the side of the square of latents that is packed.
const patch = 2

// ReadFlux2Config reads dir/config.json. Errors name the file and the field; those
// about a value wrap hf.ErrConfig.
func ReadFlux2Config(fsys fs.FS, dir string) (Flux2Config, error) {
	four := func(name string) []string { return slices.Repeat([]string{name}, 4) }
	c := Flux2Config{ // what diffusers fills in
		KLConfig: KLConfig{
			InChannels: 3, OutChannels: 3, LatentChannels: 32, Channels: []int{128, 256, 512, 512}, LayersPerBlock: 2, Groups: 32,
			Activation: "silu", DownBlocks: four("DownEncoderBlock2D"), UpBlocks: four("UpDecoderBlock2D"),
			MidAttention: true, QuantConv: true, PostQuantConv: true, Scaling: 1,
		},
		Epsilon: 1e-4, PatchSize: []int{patch, patch},
	}
	file := path.Join(dir, "config.json")
	if err := hf.ReadConfig(fsys, file, &c); err != nil {
		return c, err
	}
	return c, hf.Within(file, c.check())
}

func (c Flux2Config) check() error {
	return errors.Join(
		hf.Require("_class_name", c.Class, "AutoencoderKLFlux2"),
		c.checkBlocks(),
		c.checkChannels("decoder_block_out_channels", c.DecoderChannels),
		hf.Check(len(c.DecoderChannels) == 0 || len(c.DecoderChannels) == len(c.Channels),
			"decoder_block_out_channels are %d, block_out_channels %d", len(c.DecoderChannels), len(c.Channels)),
		hf.Check(c.Epsilon > 0 && c.Epsilon < 1, "batch_norm_eps is %v, want a number between 0 and 1", c.Epsilon),
		hf.Check(slices.Equal(c.PatchSize, []int{patch, patch}), "patch_size is %v, supported: [2 2]", c.PatchSize),
		hf.Require("scaling_factor", c.Scaling, 1), // which this class does not have
		hf.Absent("shift_factor", c.Shift),
	)
}

// Packed is the number of channels of the packed latents.
func (c Flux2Config) Packed() int { return patch * patch * c.LatentChannels }

// Activations is that of the decoder.
func (c Flux2Config) Activations(height, width int) int {
	return c.decoder().Activations(height, width)
}

// decoder is the configuration of a KL whose decoder this one's is.
func (c Flux2Config) decoder() KLConfig {
	kl := c.KLConfig
	if len(c.DecoderChannels) > 0 {
		kl.Channels = c.DecoderChannels
	}
	return kl
}

// Flux2Decoder draws the picture of packed latents.
type Flux2Decoder struct {
	decoder        *Decoder
	mean, variance *model.Variable // of the packed latents, [4·LatentChannels]
	epsilon        float64
}

// NewFlux2Decoder reads the decoder's parameters at the root of a checkpoint.
func NewFlux2Decoder(c weights.Cursor, cfg Flux2Config) *Flux2Decoder {
	bn := c.In("bn")
	return &Flux2Decoder{
		NewDecoder(c, cfg.decoder()), bn.Variable("running_mean", cfg.Packed()), bn.Variable("running_var", cfg.Packed()), cfg.Epsilon,
	}
}

// Apply maps packed latents [B, H, W, 4·LatentChannels], in which a square's channels
// stand as in nn.PixelShuffle, to pictures [B, 2fH, 2fW, 3], f the configuration's
// Factor, nominally in [-1, 1], in dtype.
func (d *Flux2Decoder) Apply(f nn.Pass, packed *Node, dtype dtypes.DType) *Node {
	return d.decoder.Apply(f, ConvertDType(d.unpack(f, packed), dtype))
}

// unpack returns the latents as the autoencoder has them, [B, 2H, 2W, LatentChannels]
// in float32.
func (d *Flux2Decoder) unpack(f nn.Pass, packed *Node) *Node {
	x := ConvertDType(packed, dtypes.Float32)
	statistic := func(v *model.Variable) *Node {
		return ExpandLeftToRank(ConvertDType(v.NodeValue(x), dtypes.Float32), 4)
	}
	x = Add(Mul(x, Sqrt(AddScalar(statistic(d.variance), d.epsilon))), statistic(d.mean))
	return f.Record("unpacked", nn.PixelShuffle(x, patch))
}

// Flux2Surplus accepts, where only the decoder is loaded, the encoder's parameters and
// how many batches the statistics are of.
func Flux2Surplus(name string) bool {
	return EncoderSurplus(name) || name == "bn.num_batches_tracked"
}
