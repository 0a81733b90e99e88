package sd

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Epsilons that no configuration has.
const (
	attentionEpsilon = 1e-6 // of the group norm before an attention
	layerEpsilon     = 1e-5 // of the layer norms within
)

// mlpRatio is the inner width of the feed-forward layers over the outer one.
const mlpRatio = 4

// condition is what all blocks are conditioned on.
type condition struct {
	time *Node // SiLU of the time's embedding, [B, width]
	text *Node // [B, T, width]
}

// newConv reads a convolution of 3x3 that keeps the picture's size.
func newConv(c weights.Cursor, in, out int) *nn.Conv2D {
	return nn.NewConv2D(c, in, out, nn.Kernel{Size: 3, Padding: 1}, nn.Bias)
}

// residual is x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))).
type residual struct {
	name         string
	norm1, norm2 *nn.GroupNorm
	conv1, conv2 *nn.Conv2D
	time         *nn.Linear
	shortcut     *nn.Conv2D // where the channels change
}

func newResidual(c weights.Cursor, in, out int, cfg unetConfig) *residual {
	r := &residual{
		name:  c.Path(),
		norm1: nn.NewGroupNorm(c.In("norm1"), cfg.Groups, in, cfg.Epsilon),
		conv1: newConv(c.In("conv1"), in, out),
		time:  nn.NewLinear(c.In("time_emb_proj"), cfg.timeWidth(), out, nn.Bias),
		norm2: nn.NewGroupNorm(c.In("norm2"), cfg.Groups, out, cfg.Epsilon),
		conv2: newConv(c.In("conv2"), out, out),
	}
	if in != out {
		r.shortcut = nn.NewConv2D(c.In("conv_shortcut"), in, out, nn.Kernel{Size: 1}, nn.Bias)
	}
	return r
}

// apply maps x [B, H, W, in] to [B, H, W, out].
func (r *residual) apply(f nn.Pass, c condition, x *Node) *Node {
	x = f.Enter(x)
	h := r.conv1.Apply(f, nn.SiLU(r.norm1.Apply(f, x)))
	h = Add(h, ExpandAxes(r.time.Apply(f, c.time), 1, 2))
	h = r.conv2.Apply(f, nn.SiLU(r.norm2.Apply(f, h)))
	if r.shortcut != nil {
		x = r.shortcut.Apply(f, x)
	}
	return f.Record(r.name, f.Leave(Add(x, h)))
}

// spatial lets every place of a picture attend to all others and to the text.
type spatial struct {
	name    string
	norm    *nn.GroupNorm
	in, out nn.Layer // 1x1 convolutions, or in later models linear layers, which are the same
	blocks  []*transformerBlock
}

// newProjection reads a layer on the channels of every place.
func newProjection(c weights.Cursor, channels int, cfg unetConfig) nn.Layer {
	if cfg.LinearProjection {
		return nn.NewLinear(c, channels, channels, nn.Bias)
	}
	return nn.NewConv2D(c, channels, channels, nn.Kernel{Size: 1}, nn.Bias)
}

func newSpatial(c weights.Cursor, channels, heads int, cfg unetConfig) *spatial {
	s := &spatial{
		name: c.Path(),
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
func (s *spatial) apply(f nn.Pass, c condition, x *Node) *Node {
	x = f.Enter(x)
	d := x.Shape().Dimensions
	h := Reshape(s.in.Apply(f, s.norm.Apply(f, x)), d[0], d[1]*d[2], d[3])
	for _, b := range s.blocks {
		h = b.apply(f, c, h)
	}
	x = Add(x, s.out.Apply(f, Reshape(h, d...)))
	return f.Record(s.name, f.Leave(x))
}

// transformerBlock is attention within the picture, attention to the text, and a
// gated feed-forward layer.
type transformerBlock struct {
	norm1, norm2, norm3 *nn.LayerNorm
	self, cross         *nn.MultiHead
	feed                *feedForward
}

func newTransformerBlock(c weights.Cursor, width, heads, text int) *transformerBlock {
	return &transformerBlock{
		norm1: nn.NewLayerNorm(c.In("norm1"), width, layerEpsilon),
		self:  newAttention(c.In("attn1"), width, width, heads),
		norm2: nn.NewLayerNorm(c.In("norm2"), width, layerEpsilon),
		cross: newAttention(c.In("attn2"), width, text, heads),
		norm3: nn.NewLayerNorm(c.In("norm3"), width, layerEpsilon),
		feed:  newFeedForward(c.In("ff"), width),
	}
}

// apply maps x [B, S, width].
func (b *transformerBlock) apply(f nn.Pass, c condition, x *Node) *Node {
	h := b.norm1.Apply(f, x)
	x = Add(x, b.self.Apply(f, h, h, nil))
	x = Add(x, b.cross.Apply(f, b.norm2.Apply(f, x), c.text, nil))
	return Add(x, b.feed.apply(f, b.norm3.Apply(f, x)))
}

// newAttention reads an attention of width whose keys and values are made of
// vectors of another width. It has no biases but the last.
func newAttention(c weights.Cursor, width, from, heads int) *nn.MultiHead {
	return &nn.MultiHead{
		Name:  c.Path(),
		Heads: heads,
		Q:     nn.NewLinear(c.In("to_q"), width, width, nn.NoBias),
		K:     nn.NewLinear(c.In("to_k"), from, width, nn.NoBias),
		V:     nn.NewLinear(c.In("to_v"), from, width, nn.NoBias),
		Out:   nn.NewLinear(c.In("to_out", 0), width, width, nn.Bias),
	}
}

// feedForward is a linear layer, half of whose outputs gate the other half, and
// another.
type feedForward struct {
	name    string
	in, out *nn.Linear
}

func newFeedForward(c weights.Cursor, width int) *feedForward {
	return &feedForward{
		name: c.Path(),
		in:   nn.NewLinear(c.In("net", 0, "proj"), width, 2*mlpRatio*width, nn.Bias),
		out:  nn.NewLinear(c.In("net", 2), mlpRatio*width, width, nn.Bias),
	}
}

func (l *feedForward) apply(f nn.Pass, x *Node) *Node {
	parts := Split(l.in.Apply(f, x), -1, 2)
	x, gate := parts[0], parts[1]
	return f.Record(l.name, l.out.Apply(f, Mul(x, nn.GELU(gate))))
}
