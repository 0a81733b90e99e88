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
	name      string
	residuals []*residual
	up        *nn.Conv2D // nil in the last
}

// NewDecoder reads the decoder's parameters at the root of a checkpoint.
func NewDecoder(c weights.Cursor, cfg KLConfig) *Decoder {
	d := &Decoder{config: cfg}
	if cfg.PostQuantConv {
		d.postQuant = nn.NewConv2D(c.In("post_quant_conv"), cfg.LatentChannels, cfg.LatentChannels, nn.Kernel{Size: 1}, nn.Bias)
	}
	c = c.In("decoder")
	last := len(cfg.Channels) - 1
	channels := cfg.Channels[last]
	d.in = nn.NewConv2D(c.In("conv_in"), cfg.LatentChannels, channels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
	d.mid = newMiddle(c.In("mid_block"), channels, cfg)
	for i := range cfg.Channels {
		at, next := c.In("up_blocks", i), cfg.Channels[last-i]
		b := &upBlock{name: at.Path(), residuals: newResiduals(at, cfg.LayersPerBlock+1, channels, next, cfg.Groups)}
		if i < last {
			b.up = nn.NewConv2D(at.In("upsamplers", 0, "conv"), next, next, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
		}
		d.blocks = append(d.blocks, b)
		channels = next
	}
	d.norm = nn.NewGroupNorm(c.In("conv_norm_out"), cfg.Groups, channels, normEpsilon)
	d.out = nn.NewConv2D(c.In("conv_out"), channels, cfg.OutChannels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
	return d
}

// Apply maps a generator's latents [B, H, W, LatentChannels] to pictures
// [B, fH, fW, 3], f the configuration's Factor, nominally in [-1, 1].
func (d *Decoder) Apply(f nn.Pass, latents *Node) *Node {
	x := AddScalar(MulScalar(latents, 1/d.config.Scaling), d.config.shift())
	if d.postQuant != nil {
		x = d.postQuant.Apply(f, x)
	}
	x = d.mid.apply(f, d.in.Apply(f, x))
	for _, b := range d.blocks {
		x = b.apply(f, x)
	}
	return d.out.Apply(f, nn.SiLU(d.norm.Apply(f, x)))
}

func (b *upBlock) apply(f nn.Pass, x *Node) *Node {
	for _, r := range b.residuals {
		x = r.apply(f, x)
	}
	if b.up != nil {
		x = b.up.Apply(f, nn.Double(x))
	}
	return f.Record(b.name, x)
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
		e.quant = nn.NewConv2D(c.In("quant_conv"), 2*cfg.LatentChannels, 2*cfg.LatentChannels, nn.Kernel{Size: 1}, nn.Bias)
	}
	c = c.In("encoder")
	channels := cfg.Channels[0]
	e.in = nn.NewConv2D(c.In("conv_in"), cfg.InChannels, channels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
	for i, next := range cfg.Channels {
		at := c.In("down_blocks", i)
		b := &downBlock{residuals: newResiduals(at, cfg.LayersPerBlock, channels, next, cfg.Groups)}
		if i < len(cfg.Channels)-1 {
			b.down = nn.NewConv2D(at.In("downsamplers", 0, "conv"), next, next, nn.Kernel{Size: 3, Stride: 2}, nn.Bias)
		}
		e.blocks = append(e.blocks, b)
		channels = next
	}
	e.mid = newMiddle(c.In("mid_block"), channels, cfg)
	e.norm = nn.NewGroupNorm(c.In("conv_norm_out"), cfg.Groups, channels, normEpsilon)
	e.out = nn.NewConv2D(c.In("conv_out"), channels, 2*cfg.LatentChannels, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
	return e
}

// Apply maps pictures [B, H, W, 3] in [-1, 1] to the mean of their latents,
// [B, H/f, W/f, LatentChannels], as Decoder takes them.
func (e *Encoder) Apply(f nn.Pass, pictures *Node) *Node {
	return MulScalar(AddScalar(e.mean(f, pictures), -e.config.shift()), e.config.Scaling)
}

// mean is the posterior's, in the autoencoder's own scale.
func (e *Encoder) mean(f nn.Pass, x *Node) *Node {
	x = e.in.Apply(f, x)
	for _, b := range e.blocks {
		x = b.apply(f, x)
	}
	x = e.mid.apply(f, x)
	x = e.out.Apply(f, nn.SiLU(e.norm.Apply(f, x)))
	if e.quant != nil {
		x = e.quant.Apply(f, x)
	}
	return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, e.config.LatentChannels)) // the rest is the variance
}

func (b *downBlock) apply(f nn.Pass, x *Node) *Node {
	for _, r := range b.residuals {
		x = r.apply(f, x)
	}
	if b.down != nil {
		x = b.down.Apply(f, nn.PadZeros(x, 0, 1, 1, 2)) // on one side alone, as in diffusers
	}
	return x
}

// middle is what both have at the lowest resolution.
type middle struct {
	name          string
	first, second *residual
	attention     *attention // nil without
}

func newMiddle(c weights.Cursor, channels int, cfg KLConfig) *middle {
	m := &middle{
		name:   c.Path(),
		first:  newResidual(c.In("resnets", 0), channels, channels, cfg.Groups),
		second: newResidual(c.In("resnets", 1), channels, channels, cfg.Groups),
	}
	if cfg.MidAttention {
		m.attention = newAttention(c.In("attentions", 0), channels, cfg.Groups)
	}
	return m
}

func (m *middle) apply(f nn.Pass, x *Node) *Node {
	x = m.first.apply(f, x)
	if m.attention != nil {
		x = m.attention.apply(f, x)
	}
	return f.Record(m.name, m.second.apply(f, x))
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
		conv1: nn.NewConv2D(c.In("conv1"), in, out, nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
		norm2: nn.NewGroupNorm(c.In("norm2"), groups, out, normEpsilon),
		conv2: nn.NewConv2D(c.In("conv2"), out, out, nn.Kernel{Size: 3, Padding: 1}, nn.Bias),
	}
	if in != out {
		r.shortcut = nn.NewConv2D(c.In("conv_shortcut"), in, out, nn.Kernel{Size: 1}, nn.Bias)
	}
	return r
}

func (r *residual) apply(f nn.Pass, x *Node) *Node {
	x = f.Enter(x)
	h := r.conv1.Apply(f, nn.SiLU(r.norm1.Apply(f, x)))
	h = r.conv2.Apply(f, nn.SiLU(r.norm2.Apply(f, h)))
	if r.shortcut != nil {
		x = r.shortcut.Apply(f, x)
	}
	return f.Leave(Add(x, h))
}

// attention is self-attention of one head over all places of a picture.
type attention struct {
	name  string
	norm  *nn.GroupNorm
	heads *nn.MultiHead
}

// newAttention reads the attention's parameters. In the files of Stable Diffusion 1
// they have the names of the first version of diffusers.
func newAttention(c weights.Cursor, channels, groups int) *attention {
	linear := func(name, former string) *nn.Linear {
		return nn.NewLinear(c.Layout("weight", name, former), channels, channels, nn.Bias)
	}
	return &attention{
		name: c.Path(),
		norm: nn.NewGroupNorm(c.In("group_norm"), groups, channels, normEpsilon),
		heads: &nn.MultiHead{
			Heads: 1,
			Q:     linear("to_q", "query"),
			K:     linear("to_k", "key"),
			V:     linear("to_v", "value"),
			Out:   linear("to_out.0", "proj_attn"),
		},
	}
}

// apply keeps the shape of x [B, H, W, C].
func (a *attention) apply(f nn.Pass, x *Node) *Node {
	d := x.Shape().Dimensions
	h := Reshape(a.norm.Apply(f, x), d[0], d[1]*d[2], d[3])
	q, k, v := a.heads.Project(f, h, h)
	h = a.heads.Out.Apply(f, nn.Attention(q, k, v, nil))
	return f.Record(a.name, Add(x, Reshape(h, d...)))
}

// EncoderSurplus accepts the encoder's parameters, where only the decoder is loaded.
func EncoderSurplus(name string) bool {
	return strings.HasPrefix(name, "encoder.") || strings.HasPrefix(name, "quant_conv.")
}
