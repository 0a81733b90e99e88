package autoencoder

import (
	"strings"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// normEpsilon of all group norms.
const normEpsilon = 1e-6

// Decoder draws the picture of latents.
type Decoder struct {
	config    KLConfig
	postQuant *nn.Conv2D // nil without
	in        *nn.Conv2D
	mid       *middle
	blocks    []*upBlock
	norm      *nn.GroupNorm
	out       *nn.Conv2D
}

// upBlock works at one resolution and ends, but for the last, by doubling it.
type upBlock struct {
	residuals []*residual
	up        *nn.Conv2D // nil in the last
}

// NewDecoder reads the decoder's parameters at the root of a checkpoint.
func NewDecoder(c weights.Cursor, cfg KLConfig) *Decoder {
	d := &Decoder{config: cfg}
	if cfg.PostQuantConv {
		d.postQuant = nn.NewConv2D(c.In("post_quant_conv"), cfg.LatentChannels, cfg.LatentChannels, 1, 1, 0)
	}
	c = c.In("decoder")
	last := len(cfg.Channels) - 1
	channels := cfg.Channels[last]
	d.in = nn.NewConv2D(c.In("conv_in"), cfg.LatentChannels, channels, 3, 1, 1)
	d.mid = newMiddle(c.In("mid_block"), channels, cfg)
	for i := range cfg.Channels {
		at, next := c.In("up_blocks", i), cfg.Channels[last-i]
		b := &upBlock{residuals: newResiduals(at, cfg.LayersPerBlock+1, channels, next, cfg.Groups)}
		if i < last {
			b.up = nn.NewConv2D(at.In("upsamplers", 0, "conv"), next, next, 3, 1, 1)
		}
		d.blocks = append(d.blocks, b)
		channels = next
	}
	d.norm = nn.NewGroupNorm(c.In("conv_norm_out"), cfg.Groups, channels, normEpsilon)
	d.out = nn.NewConv2D(c.In("conv_out"), channels, cfg.OutChannels, 3, 1, 1)
	return d
}

// Apply maps a generator's latents [B, H, W, LatentChannels] to pictures
// [B, fH, fW, 3], f the configuration's Factor, nominally in [-1, 1].
func (d *Decoder) Apply(p *nn.Probe, latents *Node) *Node {
	x := AddScalar(MulScalar(latents, 1/d.config.Scaling), d.config.shift())
	if d.postQuant != nil {
		x = d.postQuant.Apply(x)
	}
	x = p.See("conv_in", d.in.Apply(x))
	x = p.See("mid_block", d.mid.apply(p.In("mid_block"), x))
	for i, b := range d.blocks {
		for _, r := range b.residuals {
			x = r.apply(x)
		}
		if b.up != nil {
			x = b.up.Apply(nn.Double(x))
		}
		p.In("up_blocks").See(i, x)
	}
	x = nn.SiLU(p.See("conv_norm_out", d.norm.Apply(x)))
	return p.See("conv_out", d.out.Apply(x))
}

// Encoder finds the latents of a picture.
type Encoder struct {
	config KLConfig
	in     *nn.Conv2D
	blocks []*downBlock
	mid    *middle
	norm   *nn.GroupNorm
	out    *nn.Conv2D
	quant  *nn.Conv2D // nil without
}

// downBlock works at one resolution and ends, but for the last, by halving it.
type downBlock struct {
	residuals []*residual
	down      *nn.Conv2D // nil in the last
}

// NewEncoder reads the encoder's parameters at the root of a checkpoint.
func NewEncoder(c weights.Cursor, cfg KLConfig) *Encoder {
	e := &Encoder{config: cfg}
	if cfg.QuantConv {
		e.quant = nn.NewConv2D(c.In("quant_conv"), 2*cfg.LatentChannels, 2*cfg.LatentChannels, 1, 1, 0)
	}
	c = c.In("encoder")
	channels := cfg.Channels[0]
	e.in = nn.NewConv2D(c.In("conv_in"), cfg.InChannels, channels, 3, 1, 1)
	for i, next := range cfg.Channels {
		at := c.In("down_blocks", i)
		b := &downBlock{residuals: newResiduals(at, cfg.LayersPerBlock, channels, next, cfg.Groups)}
		if i < len(cfg.Channels)-1 {
			b.down = nn.NewConv2D(at.In("downsamplers", 0, "conv"), next, next, 3, 2, 0)
		}
		e.blocks = append(e.blocks, b)
		channels = next
	}
	e.mid = newMiddle(c.In("mid_block"), channels, cfg)
	e.norm = nn.NewGroupNorm(c.In("conv_norm_out"), cfg.Groups, channels, normEpsilon)
	e.out = nn.NewConv2D(c.In("conv_out"), channels, 2*cfg.LatentChannels, 3, 1, 1)
	return e
}

// Apply maps pictures [B, H, W, 3] in [-1, 1] to the mean of their latents,
// [B, H/f, W/f, LatentChannels], as Decoder takes them.
func (e *Encoder) Apply(pictures *Node) *Node {
	mean := e.mean(pictures)
	return MulScalar(AddScalar(mean, -e.config.shift()), e.config.Scaling)
}

// mean is the posterior's, in the autoencoder's own scale.
func (e *Encoder) mean(x *Node) *Node {
	x = e.in.Apply(x)
	for _, b := range e.blocks {
		for _, r := range b.residuals {
			x = r.apply(x)
		}
		if b.down != nil {
			x = b.down.Apply(nn.PadEnd(x))
		}
	}
	x = e.mid.apply(nil, x)
	x = e.out.Apply(nn.SiLU(e.norm.Apply(x)))
	if e.quant != nil {
		x = e.quant.Apply(x)
	}
	return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, e.config.LatentChannels)) // the rest is the variance
}

// middle is what both have at the lowest resolution.
type middle struct {
	first, second *residual
	attention     *attention // nil without
}

func newMiddle(c weights.Cursor, channels int, cfg KLConfig) *middle {
	m := &middle{
		first:  newResidual(c.In("resnets", 0), channels, channels, cfg.Groups),
		second: newResidual(c.In("resnets", 1), channels, channels, cfg.Groups),
	}
	if cfg.MidAttention {
		m.attention = newAttention(c.In("attentions", 0), channels, cfg.Groups)
	}
	return m
}

func (m *middle) apply(p *nn.Probe, x *Node) *Node {
	x = m.first.apply(x)
	if m.attention != nil {
		x = p.In("attentions").See(0, m.attention.apply(x))
	}
	return m.second.apply(x)
}

// residual is x + conv2(silu(norm2(conv1(silu(norm1(x)))))).
type residual struct {
	norm1, norm2 *nn.GroupNorm
	conv1, conv2 *nn.Conv2D
	shortcut     *nn.Conv2D // where the channels change
}

// newResiduals reads a row of residual blocks, the first of which changes the channels.
func newResiduals(c weights.Cursor, count, in, out, groups int) []*residual {
	var list []*residual
	for i := range count {
		list = append(list, newResidual(c.In("resnets", i), in, out, groups))
		in = out
	}
	return list
}

func newResidual(c weights.Cursor, in, out, groups int) *residual {
	r := &residual{
		norm1: nn.NewGroupNorm(c.In("norm1"), groups, in, normEpsilon),
		conv1: nn.NewConv2D(c.In("conv1"), in, out, 3, 1, 1),
		norm2: nn.NewGroupNorm(c.In("norm2"), groups, out, normEpsilon),
		conv2: nn.NewConv2D(c.In("conv2"), out, out, 3, 1, 1),
	}
	if in != out {
		r.shortcut = nn.NewConv2D(c.In("conv_shortcut"), in, out, 1, 1, 0)
	}
	return r
}

func (r *residual) apply(x *Node) *Node {
	h := r.conv1.Apply(nn.SiLU(r.norm1.Apply(x)))
	h = r.conv2.Apply(nn.SiLU(r.norm2.Apply(h)))
	if r.shortcut != nil {
		x = r.shortcut.Apply(x)
	}
	return Add(x, h)
}

// attention is self-attention of one head over all places of a picture.
type attention struct {
	norm         *nn.GroupNorm
	q, k, v, out *nn.Linear
}

// newAttention reads the attention's parameters. In the files of Stable Diffusion 1
// they have the names of the first version of diffusers.
func newAttention(c weights.Cursor, channels, groups int) *attention {
	linear := func(name, former string) *nn.Linear {
		return nn.NewLinear(c.Layout("weight", name, former), channels, channels)
	}
	return &attention{
		norm: nn.NewGroupNorm(c.In("group_norm"), groups, channels, normEpsilon),
		q:    linear("to_q", "query"),
		k:    linear("to_k", "key"),
		v:    linear("to_v", "value"),
		out:  linear("to_out.0", "proj_attn"),
	}
}

// apply keeps the shape of x [B, H, W, C].
func (a *attention) apply(x *Node) *Node {
	d := x.Shape().Dimensions
	h := Reshape(a.norm.Apply(x), d[0], d[1]*d[2], d[3])
	q, k, v := nn.SplitHeads(a.q.Apply(nil, h), 1), nn.SplitHeads(a.k.Apply(nil, h), 1), nn.SplitHeads(a.v.Apply(nil, h), 1)
	h = a.out.Apply(nil, nn.Attention(q, k, v, nil))
	return Add(x, Reshape(h, d...))
}

// EncoderSurplus accepts the encoder's parameters, where only the decoder is loaded.
func EncoderSurplus(name string) bool {
	return strings.HasPrefix(name, "encoder.") || strings.HasPrefix(name, "quant_conv.")
}
