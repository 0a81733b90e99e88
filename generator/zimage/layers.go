package zimage

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// headEpsilon is that of the norms of queries and keys.
const headEpsilon = 1e-5

// block is attention and a feed-forward layer, each between two norms.
type block struct {
	name            string
	modulation      *nn.Linear // makes of the time what scales and gates; nil in the text's own blocks
	attention       *nn.MultiHead
	before, after   *nn.RMSNorm // of attention
	feed            *nn.GatedMLP
	before2, after2 *nn.RMSNorm // of the feed-forward layer
}

// newBlock reads a block, which the time modulates or not.
func newBlock(c weights.Cursor, cfg transformerConfig, modulated bool) *block {
	norm := func(name string) *nn.RMSNorm { return nn.NewRMSNorm(c.In(name), cfg.Width, cfg.Epsilon, nn.NoBias) }
	b := &block{
		name:      c.Path(),
		attention: newAttention(c.In("attention"), cfg),
		before:    norm("attention_norm1"),
		after:     norm("attention_norm2"),
		feed:      newFeed(c.In("feed_forward"), cfg),
		before2:   norm("ffn_norm1"),
		after2:    norm("ffn_norm2"),
	}
	if modulated {
		b.modulation = nn.NewLinear(c.In("adaLN_modulation", 0), cfg.modulation(), 4*cfg.Width, nn.Bias)
	}
	return b
}

func newAttention(c weights.Cursor, cfg transformerConfig) *nn.MultiHead {
	linear := func(name string) *nn.Linear { return nn.NewLinear(c.In(name), cfg.Width, cfg.Width, nn.NoBias) }
	a := &nn.MultiHead{Name: c.Path(), Heads: cfg.Heads, Q: linear("to_q"), K: linear("to_k"), V: linear("to_v"), Out: linear("to_out.0")}
	if cfg.QKNorm {
		a.NormQ = nn.NewRMSNorm(c.In("norm_q"), cfg.Width/cfg.Heads, headEpsilon, nn.NoBias)
		a.NormK = nn.NewRMSNorm(c.In("norm_k"), cfg.Width/cfg.Heads, headEpsilon, nn.NoBias)
	}
	return a
}

func newFeed(c weights.Cursor, cfg transformerConfig) *nn.GatedMLP {
	return &nn.GatedMLP{
		Name:       c.Path(),
		Gate:       nn.NewLinear(c.In("w1"), cfg.Width, cfg.inner(), nn.NoBias),
		Up:         nn.NewLinear(c.In("w3"), cfg.Width, cfg.inner(), nn.NoBias),
		Down:       nn.NewLinear(c.In("w2"), cfg.inner(), cfg.Width, nn.NoBias),
		Activation: nn.SiLU,
	}
}

// sequence is what tokens are besides their vectors.
type sequence struct {
	rotary nn.Rotary
	bias   *Node // of those that nothing attends to, [B, 1, 1, S]; nil where there are none
}

// apply keeps the shape of x [B, S, width]. time is [B or 1, 1, modulation].
func (b *block) apply(f nn.Pass, s sequence, time, x *Node) *Node {
	x = f.Enter(x)
	attention, feed := nn.Modulation{}, nn.Modulation{}
	if b.modulation != nil {
		v := Split(f.Record(b.name+".adaLN_modulation", b.modulation.Apply(f, time)), -1, 4)
		attention = nn.Modulation{Scale: v[0], Gate: Tanh(v[1])}
		feed = nn.Modulation{Scale: v[2], Gate: Tanh(v[3])}
	}
	h := scaled(attention, b.before.Apply(f, x))
	q, k, v := b.attention.Project(f, h, h)
	h = nn.Attention(s.rotary.RotateNeighbors(q), s.rotary.RotateNeighbors(k), v, s.bias)
	x = Add(x, gated(attention, b.after.Apply(f, b.attention.Output(f, h))))

	h = b.feed.Apply(f, scaled(feed, b.before2.Apply(f, x)))
	x = Add(x, gated(feed, b.after2.Apply(f, h)))
	return f.Record(b.name, f.Leave(x))
}

func scaled(m nn.Modulation, x *Node) *Node {
	if m.Scale == nil {
		return x
	}
	return Mul(x, OnePlus(m.Scale))
}

func gated(m nn.Modulation, x *Node) *Node {
	if m.Gate == nil {
		return x
	}
	return Mul(m.Gate, x)
}
