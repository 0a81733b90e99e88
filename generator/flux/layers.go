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
func (m *modulator) modulation(f nn.Pass, c condition) nn.Modulation {
	v := m.vectors(f, c)
	return nn.Modulation{Shift: v[0], Scale: v[1], Gate: v[2]}
}

// modulations are those of a block with two branches.
type modulations struct{ attention, feed nn.Modulation }

func (m *modulator) modulations(f nn.Pass, c condition) modulations {
	v := m.vectors(f, c)
	return modulations{
		attention: nn.Modulation{Shift: v[0], Scale: v[1], Gate: v[2]},
		feed:      nn.Modulation{Shift: v[3], Scale: v[4], Gate: v[5]},
	}
}

func normalize(x *Node) *Node { return nn.Normalize(x, normEpsilon) }

// newFeedForward reads linear, GELU, linear.
func newFeedForward(c weights.Cursor, width int) *nn.MLP {
	return nn.NewMLP(c, "net.0.proj", "net.2", width, mlpRatio*width, width, nn.GELUTanh)
}

// newEmbedder reads linear, SiLU, linear.
func newEmbedder(c weights.Cursor, in, width int) *nn.MLP {
	return nn.NewMLP(c, "linear_1", "linear_2", in, width, width, nn.SiLU)
}

// layerNames are those of an attention's layers.
type layerNames struct{ q, k, v, out, normQ, normK string }

// newAttention reads the layers at the cursor of the attention; a single block's
// has none after it.
func newAttention(c weights.Cursor, cfg transformerConfig, names layerNames) *nn.MultiHead {
	width := cfg.width()
	a := &nn.MultiHead{
		Name:  c.Path(),
		Heads: cfg.Heads,
		Q:     nn.NewLinear(c.In(names.q), width, width, nn.Bias),
		K:     nn.NewLinear(c.In(names.k), width, width, nn.Bias),
		V:     nn.NewLinear(c.In(names.v), width, width, nn.Bias),
		NormQ: nn.NewRMSNorm(c.In(names.normQ), cfg.HeadWidth, normEpsilon, nn.NoBias),
		NormK: nn.NewRMSNorm(c.In(names.normK), cfg.HeadWidth, normEpsilon, nn.NoBias),
	}
	if names.out != "" {
		a.Out = nn.NewLinear(c.In(names.out), width, width, nn.Bias)
	}
	return a
}

// attend rotates queries and keys by their positions, and attends: [B, S, width].
func attend(c condition, q, k, v *Node) *Node {
	return nn.Attention(c.rotary.RotateNeighbors(q), c.rotary.RotateNeighbors(k), v, nil)
}
