package autoencoder

import (
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// DCDecoder draws the picture of a deep-compression autoencoder's latents.
type DCDecoder struct {
	config DCConfig
	in     *nn.Conv2D
	levels []*dcLevel // from the picture down, as in the checkpoint
	norm   *nn.RMSNorm
	out    *nn.Conv2D
}

// dcLevel works at one resolution. It changes it at its beginning (decoder) or at
// its end (encoder), but for the one at the end of the latents.
type dcLevel struct {
	name   string
	resize *dcResize // nil without
	blocks []dcBlock
}

// dcBlock keeps the shape of x [B, H, W, C].
type dcBlock interface {
	apply(f nn.Pass, x *Node) *Node
}

// NewDCDecoder reads the decoder's parameters at the root of a checkpoint.
func NewDCDecoder(c weights.Cursor, cfg DCConfig) *DCDecoder {
	c = c.In("decoder")
	channels := cfg.DecoderChannels
	last := len(channels) - 1
	d := &DCDecoder{
		config: cfg,
		in:     nn.NewConv2D(c.In("conv_in"), cfg.LatentChannels, channels[last], nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
		norm:   newChannelNorm(c.In("norm_out"), channels[0]),
		out:    nn.NewConv2D(c.In("conv_out"), channels[0], cfg.InChannels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
	}
	for i := range channels {
		at, first := c.In("up_blocks", i), 0
		level := &dcLevel{name: at.Path()}
		if i < last {
			level.resize, first = newEnlarge(at.In(0), channels[i+1], channels[i], cfg.Upsample), 1
		}
		level.blocks = newDCBlocks(at, first, i, cfg.decoder(), cfg.HeadWidth)
		d.levels = append(d.levels, level)
	}
	return d
}

// Apply maps a generator's latents [B, H, W, LatentChannels] to pictures
// [B, fH, fW, 3], f the configuration's Factor, nominally in [-1, 1].
func (d *DCDecoder) Apply(f nn.Pass, latents *Node) *Node {
	z := MulScalar(latents, 1/d.config.Scaling)
	x := d.in.Apply(f, z)
	if d.config.InShortcut {
		x = Add(x, repeatChannels(z, x.Shape().Dim(3)/z.Shape().Dim(3)))
	}
	for _, level := range slices.Backward(d.levels) {
		if level.resize != nil {
			x = level.resize.apply(f, x)
		}
		x = f.Record(level.name, level.applyBlocks(f, x))
	}
	return d.out.Apply(f, nn.ReLU(d.norm.Apply(f, x)))
}

// DCEncoder finds the latents of a picture.
type DCEncoder struct {
	config DCConfig
	in     *nn.Conv2D
	levels []*dcLevel
	out    *nn.Conv2D
}

// NewDCEncoder reads the encoder's parameters at the root of a checkpoint.
func NewDCEncoder(c weights.Cursor, cfg DCConfig) *DCEncoder {
	c = c.In("encoder")
	channels := cfg.EncoderChannels
	last := len(channels) - 1
	e := &DCEncoder{
		config: cfg,
		in:     nn.NewConv2D(c.In("conv_in"), cfg.InChannels, channels[0], nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
		out:    nn.NewConv2D(c.In("conv_out"), channels[last], cfg.LatentChannels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
	}
	for i := range channels {
		at := c.In("down_blocks", i)
		level := &dcLevel{name: at.Path(), blocks: newDCBlocks(at, 0, i, cfg.encoder(), cfg.HeadWidth)}
		if i < last {
			level.resize = newReduce(at.In(len(level.blocks)), channels[i], channels[i+1], cfg.Downsample)
		}
		e.levels = append(e.levels, level)
	}
	return e
}

// Apply maps pictures x [B, H, W, 3] in [-1, 1] to their latents, [B, H/f, W/f,
// LatentChannels], in the autoencoder's own scale.
func (e *DCEncoder) Apply(f nn.Pass, x *Node) *Node {
	x = e.in.Apply(f, x)
	for _, level := range e.levels {
		x = level.applyBlocks(f, x)
		if level.resize != nil {
			x = level.resize.apply(f, x)
		}
	}
	z := e.out.Apply(f, x)
	if e.config.OutShortcut {
		z = Add(z, meanChannels(x, z.Shape().Dim(3)))
	}
	return z
}

func (l *dcLevel) applyBlocks(f nn.Pass, x *Node) *Node {
	for _, b := range l.blocks {
		x = b.apply(f, x)
	}
	return x
}

// newDCBlocks reads the blocks of one level, named from the number first on.
func newDCBlocks(c weights.Cursor, first, level int, half dcHalf, headWidth int) []dcBlock {
	var list []dcBlock
	for k := range half.layers[level] {
		at, channels := c.In(first+k), half.channels[level]
		if half.blocks.at(level) == vitBlock {
			list = append(list, newDCAttention(at, channels, headWidth, half.scales[level]))
		} else {
			list = append(list, newDCResidual(at, channels))
		}
	}
	return list
}

// DCEncoderSurplus accepts the encoder's parameters, where only the decoder is loaded.
func DCEncoderSurplus(name string) bool { return strings.HasPrefix(name, "encoder.") }
