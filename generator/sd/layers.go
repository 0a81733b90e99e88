package sd

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Epsilons that no configuration has.
const (
	attentionEpsilon = 1e-6 // of the group norm before an attention
	layerEpsilon     = 1e-5 // of the layer norms within
)

// mlpRatio is the inner width of the feed-forward layers over the outer one.
const mlpRatio = 4

// pass is what all blocks of one pass share.
type pass struct {
	delta      *lora.Delta
	time       *Node // SiLU of the time's embedding, [B, width]
	text       *Node // [B, T, width]
	checkpoint bool  // recompute activations in the backward pass
}

// block runs a block's computation, as one whose activations are recomputed if so
// wished.
func (f pass) block(x *Node, apply func(x *Node) *Node) *Node {
	if !f.checkpoint {
		return apply(x)
	}
	return apply(x.Checkpoint()).StopCheckpoint()
}

// residual is x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))).
type residual struct {
	norm1, norm2 *nn.GroupNorm
	conv1, conv2 *nn.AdaptedConv2D
	time         *nn.Linear
	shortcut     *nn.AdaptedConv2D // where the channels change
}

func newResidual(c weights.Cursor, in, out int, cfg UNetConfig) *residual {
	r := &residual{
		norm1: nn.NewGroupNorm(c.In("norm1"), cfg.Groups, in, cfg.Epsilon),
		conv1: nn.NewAdaptedConv2D(c.In("conv1"), in, out, 3, 1, 1),
		time:  nn.NewLinear(c.In("time_emb_proj"), cfg.timeWidth(), out),
		norm2: nn.NewGroupNorm(c.In("norm2"), cfg.Groups, out, cfg.Epsilon),
		conv2: nn.NewAdaptedConv2D(c.In("conv2"), out, out, 3, 1, 1),
	}
	if in != out {
		r.shortcut = nn.NewAdaptedConv2D(c.In("conv_shortcut"), in, out, 1, 1, 0)
	}
	return r
}

// apply maps x [B, H, W, in] to [B, H, W, out].
func (r *residual) apply(f pass, x *Node) *Node {
	return f.block(x, func(x *Node) *Node {
		h := r.conv1.Apply(f.delta, nn.SiLU(r.norm1.Apply(x)))
		h = Add(h, ExpandAxes(r.time.Apply(f.delta, f.time), 1, 2))
		h = r.conv2.Apply(f.delta, nn.SiLU(r.norm2.Apply(h)))
		if r.shortcut != nil {
			x = r.shortcut.Apply(f.delta, x)
		}
		return Add(x, h)
	})
}

// spatial lets every place of a picture attend to all others and to the text.
type spatial struct {
	norm    *nn.GroupNorm
	in, out projection
	blocks  []*transformerBlock
}

// projection is a layer on the channels of every place: a 1x1 convolution, or in
// later models the same as a linear layer.
type projection interface {
	Apply(d *lora.Delta, x *Node) *Node
}

func newProjection(c weights.Cursor, channels int, cfg UNetConfig) projection {
	if cfg.LinearProjection {
		return nn.NewLinear(c, channels, channels)
	}
	return nn.NewAdaptedConv2D(c, channels, channels, 1, 1, 0)
}

func newSpatial(c weights.Cursor, channels, heads int, cfg UNetConfig) *spatial {
	s := &spatial{
		norm: nn.NewGroupNorm(c.In("norm"), cfg.Groups, channels, attentionEpsilon),
		in:   newProjection(c.In("proj_in"), channels, cfg),
		out:  newProjection(c.In("proj_out"), channels, cfg),
	}
	for i := range cfg.Layers {
		s.blocks = append(s.blocks, newTransformerBlock(c.In("transformer_blocks", i), channels, heads, cfg.TextWidth))
	}
	return s
}

// apply keeps the shape of x [B, H, W, C].
func (s *spatial) apply(p *nn.Probe, f pass, x *Node) *Node {
	return f.block(x, func(x *Node) *Node {
		d := x.Shape().Dimensions
		h := Reshape(s.in.Apply(f.delta, s.norm.Apply(x)), d[0], d[1]*d[2], d[3])
		for i, b := range s.blocks {
			h = b.apply(p.In("transformer_blocks", i), f, h)
		}
		return Add(x, s.out.Apply(f.delta, Reshape(h, d...)))
	})
}

// transformerBlock is attention within the picture, attention to the text, and a
// gated feed-forward layer.
type transformerBlock struct {
	norm1, norm2, norm3 *nn.LayerNorm
	self, cross         *attention
	feedIn, feedOut     *nn.Linear
}

func newTransformerBlock(c weights.Cursor, width, heads, text int) *transformerBlock {
	return &transformerBlock{
		norm1:   nn.NewLayerNorm(c.In("norm1"), width, layerEpsilon),
		self:    newAttention(c.In("attn1"), width, width, heads),
		norm2:   nn.NewLayerNorm(c.In("norm2"), width, layerEpsilon),
		cross:   newAttention(c.In("attn2"), width, text, heads),
		norm3:   nn.NewLayerNorm(c.In("norm3"), width, layerEpsilon),
		feedIn:  nn.NewLinear(c.In("ff", "net", 0, "proj"), width, 2*mlpRatio*width),
		feedOut: nn.NewLinear(c.In("ff", "net", 2), mlpRatio*width, width),
	}
}

// apply maps x [B, S, width].
func (b *transformerBlock) apply(p *nn.Probe, f pass, x *Node) *Node {
	h := b.norm1.Apply(x)
	x = Add(x, p.See("attn1", b.self.apply(f, h, h)))
	x = Add(x, p.See("attn2", b.cross.apply(f, b.norm2.Apply(x), f.text)))
	return Add(x, p.See("ff", b.feed(f, b.norm3.Apply(x))))
}

// feed is a linear layer, half of whose outputs gate the other half, and another.
func (b *transformerBlock) feed(f pass, x *Node) *Node {
	parts := Split(b.feedIn.Apply(f.delta, x), -1, 2)
	return b.feedOut.Apply(f.delta, Mul(parts[0], nn.GELU(parts[1])))
}

// attention has several heads, and no biases but the last.
type attention struct {
	q, k, v, out *nn.Linear
	heads        int
}

// newAttention reads an attention of width whose keys and values are made of
// vectors of another width.
func newAttention(c weights.Cursor, width, from, heads int) *attention {
	return &attention{
		q:     nn.NewLinearNoBias(c.In("to_q"), width, width),
		k:     nn.NewLinearNoBias(c.In("to_k"), from, width),
		v:     nn.NewLinearNoBias(c.In("to_v"), from, width),
		out:   nn.NewLinear(c.In("to_out", 0), width, width),
		heads: heads,
	}
}

// apply lets x [B, S, width] attend to context [B, T, from].
func (a *attention) apply(f pass, x, context *Node) *Node {
	split := func(l *nn.Linear, x *Node) *Node { return nn.SplitHeads(l.Apply(f.delta, x), a.heads) }
	return a.out.Apply(f.delta, nn.Attention(split(a.q, x), split(a.k, context), split(a.v, context), nil))
}
