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

// heads sizes an attention.
func (c transformerConfig) heads() nn.Heads {
	return nn.Heads{Count: c.Heads, Width: c.HeadWidth, Epsilon: normEpsilon, Bias: nn.Bias}
}
