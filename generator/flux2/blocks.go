package flux2

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// doubleBlock attends jointly over text and picture, each with weights of its own.
type doubleBlock struct {
	name        string
	epsilon     float64
	attention   *nn.JointAttention
	image, text *feedForward
}

func newDoubleBlock(c weights.Cursor, cfg transformerConfig) *doubleBlock {
	return &doubleBlock{
		c.Path(), cfg.Epsilon, nn.NewJointAttention(c.In("attn"), cfg.heads()),
		newFeedForward(c.In("ff"), cfg), newFeedForward(c.In("ff_context"), cfg),
	}
}

// apply maps text [B, T, width] and image [B, L, width].
func (b *doubleBlock) apply(f nn.Pass, c condition, text, image *Node) (*Node, *Node) {
	text, image = f.Enter(text), f.Enter(image)
	norm := func(name string, m nn.Modulation, x *Node) *Node {
		return m.Apply(f.Record(b.name+"."+name, nn.Normalize(x, b.epsilon)))
	}
	hi, ht := norm("norm1", c.image[0], image), norm("norm1_context", c.text[0], text)
	hi, ht = b.attention.Apply(f, c.rotary, hi, ht)
	image, text = Add(image, Mul(hi, c.image[0].Gate)), Add(text, Mul(ht, c.text[0].Gate))

	hi = b.image.apply(f, norm("norm2", c.image[1], image))
	ht = b.text.apply(f, norm("norm2_context", c.text[1], text))
	image, text = Add(image, Mul(hi, c.image[1].Gate)), Add(text, Mul(ht, c.text[1].Gate))
	text, image = f.Leave(text), f.Leave(image)
	f.RecordAll(b.name, text, image)
	return text, image
}

// singleBlock attends over text and picture alike, beside a feed-forward layer: one
// projection into both, and one out of both.
type singleBlock struct {
	name         string
	attention    string // its name
	config       transformerConfig
	in, out      *nn.Linear
	normQ, normK *nn.RMSNorm
}

func newSingleBlock(c weights.Cursor, cfg transformerConfig) *singleBlock {
	attn, width, inner := c.In("attn"), cfg.width(), cfg.inner()
	return &singleBlock{
		name: c.Path(), attention: attn.Path(), config: cfg,
		in:    nn.NewLinear(attn.In("to_qkv_mlp_proj"), width, 3*width+2*inner, nn.NoBias),
		out:   nn.NewLinear(attn.In("to_out"), width+inner, width, nn.NoBias),
		normQ: nn.NewRMSNorm(attn.In("norm_q"), cfg.HeadWidth, cfg.Epsilon, nn.NoBias),
		normK: nn.NewRMSNorm(attn.In("norm_k"), cfg.HeadWidth, cfg.Epsilon, nn.NoBias),
	}
}

// apply maps x [B, T+L, width].
func (b *singleBlock) apply(f nn.Pass, c condition, x *Node) *Node {
	x = f.Enter(x)
	m, width := c.single[0], b.config.width()
	h := b.in.Apply(f, m.Apply(nn.Normalize(x, b.config.Epsilon))) // [B, T+L, 3·width+2·inner]
	heads := func(k int) *Node {
		return nn.SplitHeads(Slice(h, AxisRange(), AxisRange(), AxisRange(k*width, (k+1)*width)), b.config.Heads)
	}
	attended := nn.RotatedAttention(c.rotary, b.normQ.Apply(f, heads(0)), b.normK.Apply(f, heads(1)), heads(2))
	gated := swiGLU(Slice(h, AxisRange(), AxisRange(), AxisRange(3*width)))
	h = f.Record(b.attention, b.out.Apply(f, Concatenate([]*Node{attended, gated}, -1)))
	return f.Record(b.name, f.Leave(Add(x, Mul(h, m.Gate))))
}
