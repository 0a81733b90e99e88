package flux

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// doubleBlock attends jointly over text and picture, each with weights of its own.
type doubleBlock struct {
	name        string
	image, text *stream
}

// stream is what a doubleBlock does with the tokens of one kind.
type stream struct {
	norm      *modulator
	attention *nn.MultiHead
	feed      *nn.MLP
}

func newDoubleBlock(c weights.Cursor, cfg transformerConfig) *doubleBlock {
	image := layerNames{q: "to_q", k: "to_k", v: "to_v", out: "to_out.0", normQ: "norm_q", normK: "norm_k"}
	text := layerNames{q: "add_q_proj", k: "add_k_proj", v: "add_v_proj", out: "to_add_out", normQ: "norm_added_q", normK: "norm_added_k"}
	newStream := func(norm, feed string, names layerNames) *stream {
		return &stream{
			norm:      newModulator(c.In(norm), cfg.width(), 6),
			attention: newAttention(c.In("attn"), cfg, names),
			feed:      newFeedForward(c.In(feed), cfg.width()),
		}
	}
	return &doubleBlock{c.Path(), newStream("norm1", "ff", image), newStream("norm1_context", "ff_context", text)}
}

// apply maps text [B, T, width] and image [B, L, width].
func (b *doubleBlock) apply(f nn.Pass, c condition, text, image *Node) (*Node, *Node) {
	text, image = f.Enter(text), f.Enter(image)
	mi, mt := b.image.norm.modulations(f, c), b.text.norm.modulations(f, c)
	hi, ht := mi.attention.Apply(normalize(image)), mt.attention.Apply(normalize(text))
	f.RecordAll(b.image.norm.name, hi, mi.attention.Gate, mi.feed.Shift, mi.feed.Scale, mi.feed.Gate)
	f.RecordAll(b.text.norm.name, ht, mt.attention.Gate, mt.feed.Shift, mt.feed.Scale, mt.feed.Gate)

	hi, ht = b.attend(f, c, hi, ht)
	image, text = Add(image, Mul(hi, mi.attention.Gate)), Add(text, Mul(ht, mt.attention.Gate))
	hi = b.image.feed.Apply(f, mi.feed.Apply(normalize(image)))
	ht = b.text.feed.Apply(f, mt.feed.Apply(normalize(text)))
	image, text = Add(image, Mul(hi, mi.feed.Gate)), Add(text, Mul(ht, mt.feed.Gate))
	text, image = f.Leave(text), f.Leave(image)
	f.RecordAll(b.name, text, image)
	return text, image
}

// attend attends over both streams, the text first, and returns them apart.
func (b *doubleBlock) attend(f nn.Pass, c condition, image, text *Node) (*Node, *Node) {
	qi, ki, vi := b.image.attention.Project(f, image, image)
	qt, kt, vt := b.text.attention.Project(f, text, text)
	join := func(text, image *Node) *Node { return Concatenate([]*Node{text, image}, 1) }
	attended := attend(c, join(qt, qi), join(kt, ki), join(vt, vi))

	words := text.Shape().Dim(1)
	image = b.image.attention.Out.Apply(f, Slice(attended, AxisRange(), AxisRange(words)))
	text = b.text.attention.Out.Apply(f, Slice(attended, AxisRange(), AxisRange(0, words)))
	f.RecordAll(b.image.attention.Name, image, text)
	return image, text
}

// singleBlock attends over text and picture alike, beside a feed-forward layer.
type singleBlock struct {
	name      string
	norm      *modulator
	attention *nn.MultiHead
	mlp, out  *nn.Linear
}

func newSingleBlock(c weights.Cursor, cfg transformerConfig) *singleBlock {
	width, names := cfg.width(), layerNames{q: "to_q", k: "to_k", v: "to_v", normQ: "norm_q", normK: "norm_k"}
	return &singleBlock{
		name:      c.Path(),
		norm:      newModulator(c.In("norm"), width, 3),
		attention: newAttention(c.In("attn"), cfg, names),
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
	attended := f.Record(b.attention.Name, attend(c, q, k, v))
	h = Concatenate([]*Node{attended, nn.GELUTanh(b.mlp.Apply(f, h))}, -1)
	x = Add(x, Mul(b.out.Apply(f, h), m.Gate))
	return f.Record(b.name, f.Leave(x))
}
