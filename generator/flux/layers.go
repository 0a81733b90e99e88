package flux

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

const (
	mlpRatio    = 4   // inner width of the feed-forward layers over the stream's
	waves       = 256 // cosines and sines of a time
	normEpsilon = 1e-6
)

// modulation is what the conditioning vector does to one branch of a block
// ("adaptive layer norm"): its input is scaled and shifted, its output gated.
type modulation struct{ shift, scale, gate *Node } // [B, 1, width]

// apply is norm(x)·(1+scale) + shift.
func (m modulation) apply(x *Node) *Node {
	return Add(Mul(nn.Normalize(x, normEpsilon), OnePlus(m.scale)), m.shift)
}

// modulator makes vectors that modulate a stream of the conditioning vector.
type modulator struct {
	name   string
	linear *nn.Linear
	count  int // of vectors
}

func newModulator(c weights.Cursor, width, count int) *modulator {
	return &modulator{c.Path(), nn.NewLinear(c.In("linear"), width, count*width, nn.Bias), count}
}

// vectors are count vectors [B, 1, width].
func (m *modulator) vectors(f nn.Pass, c condition) []*Node {
	return Split(InsertAxes(m.linear.Apply(f, c.vector), 1), -1, m.count)
}

// modulation is that of a block with one branch.
func (m *modulator) modulation(f nn.Pass, c condition) modulation {
	v := m.vectors(f, c)
	return modulation{shift: v[0], scale: v[1], gate: v[2]}
}

// modulations are those of a block with two branches.
type modulations struct{ attention, feed modulation }

func (m *modulator) modulations(f nn.Pass, c condition) modulations {
	v := m.vectors(f, c)
	return modulations{
		attention: modulation{shift: v[0], scale: v[1], gate: v[2]},
		feed:      modulation{shift: v[3], scale: v[4], gate: v[5]},
	}
}

// newFeedForward reads linear, GELU, linear.
func newFeedForward(c weights.Cursor, width int) *nn.MLP {
	return nn.NewMLP(c, "net.0.proj", "net.2", width, mlpRatio*width, width, nn.GELUTanh)
}

// newEmbedder reads linear, SiLU, linear.
func newEmbedder(c weights.Cursor, in, width int) *nn.MLP {
	return nn.NewMLP(c, "linear_1", "linear_2", in, width, width, nn.SiLU)
}

// heads are the linear layers of an attention, with norms of its queries and keys.
type heads struct {
	q, k, v      *nn.Linear
	normQ, normK *nn.RMSNorm
	count        int
}

// newHeads reads the layers of the given names at the cursor of the attention.
func newHeads(c weights.Cursor, cfg transformerConfig, q, k, v, normQ, normK string) heads {
	width := cfg.width()
	return heads{
		q:     nn.NewLinear(c.In(q), width, width, nn.Bias),
		k:     nn.NewLinear(c.In(k), width, width, nn.Bias),
		v:     nn.NewLinear(c.In(v), width, width, nn.Bias),
		normQ: nn.NewRMSNorm(c.In(normQ), cfg.HeadWidth, normEpsilon, nn.NoBias),
		normK: nn.NewRMSNorm(c.In(normK), cfg.HeadWidth, normEpsilon, nn.NoBias),
		count: cfg.Heads,
	}
}

// project returns queries, keys and values [B, S, N, D].
func (h heads) project(f nn.Pass, x *Node) (q, k, v *Node) {
	q = h.normQ.Apply(f, nn.SplitHeads(h.q.Apply(f, x), h.count))
	k = h.normK.Apply(f, nn.SplitHeads(h.k.Apply(f, x), h.count))
	return q, k, nn.SplitHeads(h.v.Apply(f, x), h.count)
}

// attend rotates queries and keys by their positions, and attends: [B, S, width].
func attend(c condition, q, k, v *Node) *Node {
	return nn.Attention(c.rotary.RotateNeighbors(q), c.rotary.RotateNeighbors(k), v, nil)
}
