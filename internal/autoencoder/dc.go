package autoencoder

import (
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
	norm   *channelNorm
	out    *nn.Conv2D
}

// dcLevel works at one resolution. It changes it at its beginning (decoder) or at
// its end (encoder), but for the one at the end of the latents.
type dcLevel struct {
	resize *dcResize // nil without
	blocks []dcBlock
}

// dcBlock keeps the shape of x [B, H, W, C].
type dcBlock interface {
	apply(p *nn.Probe, x *Node) *Node
}

// NewDCDecoder reads the decoder's parameters at the root of a checkpoint.
func NewDCDecoder(c weights.Cursor, cfg DCConfig) *DCDecoder {
	c = c.In("decoder")
	channels := cfg.DecoderChannels
	last := len(channels) - 1
	d := &DCDecoder{
		config: cfg,
		in:     nn.NewConv2D(c.In("conv_in"), cfg.LatentChannels, channels[last], 3, 1, 1),
		norm:   newChannelNorm(c.In("norm_out"), channels[0]),
		out:    nn.NewConv2D(c.In("conv_out"), channels[0], cfg.InChannels, 3, 1, 1),
	}
	for i := range channels {
		at, level, first := c.In("up_blocks", i), &dcLevel{}, 0
		if i < last {
			level.resize, first = newEnlarge(at.In(0, "conv"), channels[i+1], channels[i], cfg.Upsample), 1
		}
		level.blocks = newDCBlocks(at, first, i, cfg.decoder(), cfg.HeadWidth)
		d.levels = append(d.levels, level)
	}
	return d
}

// Apply maps a generator's latents [B, H, W, LatentChannels] to pictures
// [B, fH, fW, 3], f the configuration's Factor, nominally in [-1, 1].
func (d *DCDecoder) Apply(p *nn.Probe, latents *Node) *Node {
	z := MulScalar(latents, 1/d.config.Scaling)
	x := p.See("conv_in", d.in.Apply(z))
	if d.config.InShortcut {
		x = Add(x, repeatChannels(z, x.Shape().Dim(3)/z.Shape().Dim(3)))
	}
	for i := len(d.levels) - 1; i >= 0; i-- {
		at, first, level := p.In("up_blocks", i), 0, d.levels[i]
		if level.resize != nil {
			x, first = at.See(0, level.resize.apply(x)), 1
		}
		x = level.applyBlocks(at, first, x)
		p.In("up_blocks").See(i, x)
	}
	x = nn.ReLU(p.See("norm_out", d.norm.apply(x)))
	return p.See("conv_out", d.out.Apply(x))
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
		in:     nn.NewConv2D(c.In("conv_in"), cfg.InChannels, channels[0], 3, 1, 1),
		out:    nn.NewConv2D(c.In("conv_out"), channels[last], cfg.LatentChannels, 3, 1, 1),
	}
	for i := range channels {
		at := c.In("down_blocks", i)
		level := &dcLevel{blocks: newDCBlocks(at, 0, i, cfg.encoder(), cfg.HeadWidth)}
		if i < last {
			level.resize = newReduce(at.In(len(level.blocks), "conv"), channels[i], channels[i+1], cfg.Downsample)
		}
		e.levels = append(e.levels, level)
	}
	return e
}

// Apply maps pictures [B, H, W, 3] in [-1, 1] to their latents, [B, H/f, W/f,
// LatentChannels], as DCDecoder takes them.
func (e *DCEncoder) Apply(pictures *Node) *Node {
	return MulScalar(e.latents(pictures), e.config.Scaling)
}

// latents is Apply in the autoencoder's own scale.
func (e *DCEncoder) latents(x *Node) *Node {
	x = e.in.Apply(x)
	for _, level := range e.levels {
		x = level.applyBlocks(nil, 0, x)
		if level.resize != nil {
			x = level.resize.apply(x)
		}
	}
	z := e.out.Apply(x)
	if e.config.OutShortcut {
		z = Add(z, meanChannels(x, z.Shape().Dim(3)))
	}
	return z
}

// applyBlocks runs the blocks, the first of which a probe knows by the number first.
func (l *dcLevel) applyBlocks(p *nn.Probe, first int, x *Node) *Node {
	for k, b := range l.blocks {
		x = p.See(first+k, b.apply(p.In(first+k), x))
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
