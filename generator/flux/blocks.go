package flux

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// doubleBlock attends jointly over text and picture, each with weights of its own.
type doubleBlock struct {
	name, attention string // of the modules
	image, text     *stream
}

// stream is what a doubleBlock does with the tokens of one kind.
type stream struct {
	norm  *modulator
	heads heads
	out   *nn.Linear
	feed  *nn.MLP
}

func newDoubleBlock(c weights.Cursor, cfg transformerConfig) *doubleBlock {
	width, attn := cfg.width(), c.In("attn")
	return &doubleBlock{
		name:      c.Path(),
		attention: attn.Path(),
		image: &stream{
			norm:  newModulator(c.In("norm1"), width, 6),
			heads: newHeads(attn, cfg, "to_q", "to_k", "to_v", "norm_q", "norm_k"),
			out:   nn.NewLinear(attn.In("to_out", 0), width, width, nn.Bias),
			feed:  newFeedForward(c.In("ff"), width),
		},
		text: &stream{
			norm:  newModulator(c.In("norm1_context"), width, 6),
			heads: newHeads(attn, cfg, "add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k"),
			out:   nn.NewLinear(attn.In("to_add_out"), width, width, nn.Bias),
			feed:  newFeedForward(c.In("ff_context"), width),
		},
	}
}

// apply maps text [B, T, width] and image [B, L, width].
func (b *doubleBlock) apply(f nn.Pass, c condition, text, image *Node) (*Node, *Node) {
	text, image = f.Enter(text), f.Enter(image)
	mi, mt := b.image.norm.modulations(f, c), b.text.norm.modulations(f, c)
	hi, ht := mi.attention.apply(image), mt.attention.apply(text)
	f.RecordAll(b.image.norm.name, hi, mi.attention.gate, mi.feed.shift, mi.feed.scale, mi.feed.gate)
	f.RecordAll(b.text.norm.name, ht, mt.attention.gate, mt.feed.shift, mt.feed.scale, mt.feed.gate)

	hi, ht = b.attend(f, c, hi, ht)
	image, text = Add(image, Mul(hi, mi.attention.gate)), Add(text, Mul(ht, mt.attention.gate))
	hi = b.image.feed.Apply(f, mi.feed.apply(image))
	ht = b.text.feed.Apply(f, mt.feed.apply(text))
	image, text = Add(image, Mul(hi, mi.feed.gate)), Add(text, Mul(ht, mt.feed.gate))
	text, image = f.Leave(text), f.Leave(image)
	f.RecordAll(b.name, text, image)
	return text, image
}

// attend attends over both streams, the text first, and returns them apart.
func (b *doubleBlock) attend(f nn.Pass, c condition, image, text *Node) (*Node, *Node) {
	qi, ki, vi := b.image.heads.project(f, image)
	qt, kt, vt := b.text.heads.project(f, text)
	join := func(text, image *Node) *Node { return Concatenate([]*Node{text, image}, 1) }
	attended := attend(c, join(qt, qi), join(kt, ki), join(vt, vi))

	words := text.Shape().Dim(1)
	image = b.image.out.Apply(f, Slice(attended, AxisRange(), AxisRange(words)))
	text = b.text.out.Apply(f, Slice(attended, AxisRange(), AxisRange(0, words)))
	f.RecordAll(b.attention, image, text)
	return image, text
}

// singleBlock attends over text and picture alike, beside a feed-forward layer.
type singleBlock struct {
	name, attention string // of the modules
	norm            *modulator
	heads           heads
	mlp, out        *nn.Linear
}

func newSingleBlock(c weights.Cursor, cfg transformerConfig) *singleBlock {
	width, attn := cfg.width(), c.In("attn")
	return &singleBlock{
		name:      c.Path(),
		attention: attn.Path(),
		norm:      newModulator(c.In("norm"), width, 3),
		heads:     newHeads(attn, cfg, "to_q", "to_k", "to_v", "norm_q", "norm_k"),
		mlp:       nn.NewLinear(c.In("proj_mlp"), width, mlpRatio*width, nn.Bias),
		out:       nn.NewLinear(c.In("proj_out"), width+mlpRatio*width, width, nn.Bias),
	}
}

// apply maps x [B, T+L, width].
func (b *singleBlock) apply(f nn.Pass, c condition, x *Node) *Node {
	x = f.Enter(x)
	m := b.norm.modulation(f, c)
	h := m.apply(x)
	f.RecordAll(b.norm.name, h, m.gate)

	q, k, v := b.heads.project(f, h)
	attended := f.Record(b.attention, attend(c, q, k, v))
	h = Concatenate([]*Node{attended, nn.GELUTanh(b.mlp.Apply(f, h))}, -1)
	x = Add(x, Mul(b.out.Apply(f, h), m.gate))
	return f.Record(b.name, f.Leave(x))
}
