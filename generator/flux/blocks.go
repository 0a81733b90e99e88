package flux

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// doubleBlock attends jointly over text and picture, each with weights of its own.
type doubleBlock struct {
	name        string
	attention   *nn.JointAttention
	image, text *stream
}

// stream is what a doubleBlock does with the tokens of one kind, beside attention.
type stream struct {
	norm *modulator
	feed *nn.MLP
}

func newDoubleBlock(c weights.Cursor, cfg transformerConfig) *doubleBlock {
	newStream := func(norm, feed string) *stream {
		return &stream{norm: newModulator(c.In(norm), cfg.width(), 6), feed: newFeedForward(c.In(feed), cfg.width())}
	}
	return &doubleBlock{
		c.Path(), nn.NewJointAttention(c.In("attn"), cfg.heads()), newStream("norm1", "ff"), newStream("norm1_context", "ff_context"),
	}
}

// apply maps text [B, T, width] and image [B, L, width].
func (b *doubleBlock) apply(f nn.Pass, c condition, text, image *Node) (*Node, *Node) {
	text, image = f.Enter(text), f.Enter(image)
	mi, mt := b.image.norm.modulations(f, c), b.text.norm.modulations(f, c)
	hi, ht := mi.attention.Apply(normalize(image)), mt.attention.Apply(normalize(text))
	f.RecordAll(b.image.norm.name, hi, mi.attention.Gate, mi.feed.Shift, mi.feed.Scale, mi.feed.Gate)
	f.RecordAll(b.text.norm.name, ht, mt.attention.Gate, mt.feed.Shift, mt.feed.Scale, mt.feed.Gate)

	hi, ht = b.attention.Apply(f, c.rotary, hi, ht)
	image, text = Add(image, Mul(hi, mi.attention.Gate)), Add(text, Mul(ht, mt.attention.Gate))
	hi = b.image.feed.Apply(f, mi.feed.Apply(normalize(image)))
	ht = b.text.feed.Apply(f, mt.feed.Apply(normalize(text)))
	image, text = Add(image, Mul(hi, mi.feed.Gate)), Add(text, Mul(ht, mt.feed.Gate))
	text, image = f.Leave(text), f.Leave(image)
	f.RecordAll(b.name, text, image)
	return text, image
}

// singleBlock attends over text and picture alike, beside a feed-forward layer.
type singleBlock struct {
	name      string
	norm      *modulator
	attention *nn.MultiHead
	mlp, out  *nn.Linear
}

func newSingleBlock(c weights.Cursor, cfg transformerConfig) *singleBlock {
	width := cfg.width()
	return &singleBlock{
		name:      c.Path(),
		norm:      newModulator(c.In("norm"), width, 3),
		attention: cfg.heads().New(c.In("attn"), nn.HeadNames{Q: "to_q", K: "to_k", V: "to_v", NormQ: "norm_q", NormK: "norm_k"}),
		mlp:       nn.NewLinear(c.In("proj_mlp"), width, mlpRatio*width, nn.Bias),
		out:       nn.NewLinear(c.In("proj_out"), width+mlpRatio*width, width, nn.Bias),
	}
}

// apply maps x [B, T+L, width].
func (b *singleBlock) apply(f nn.Pass, c condition, x *Node) *Node {
	x = f.Enter(x)
	m := b.norm.modulation(f, c)
	h := m.Apply(normalize(x))
	f.RecordAll(b.norm.name, h, m.Gate)

	q, k, v := b.attention.Project(f, h, h)
	attended := f.Record(b.attention.Name, nn.RotatedAttention(c.rotary, q, k, v))
	h = Concatenate([]*Node{attended, nn.GELUTanh(b.mlp.Apply(f, h))}, -1)
	x = Add(x, Mul(b.out.Apply(f, h), m.Gate))
	return f.Record(b.name, f.Leave(x))
}
