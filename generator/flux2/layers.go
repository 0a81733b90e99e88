package flux2

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// modulator makes of the time what modulates all blocks of a kind alike.
type modulator struct {
	name     string
	linear   *nn.Linear
	branches int // of a block
}

func newModulator(c weights.Cursor, width, branches int) *modulator {
	return &modulator{c.Path(), nn.NewLinear(c.In("linear"), width, 3*branches*width, nn.NoBias), branches}
}

// modulations are those of a block's branches, each [B or 1, 1, width], for the SiLU
// of the time's vector, [B or 1, width].
func (m *modulator) modulations(f nn.Pass, vector *Node) []nn.Modulation {
	v := Split(InsertAxes(f.Record(m.name, m.linear.Apply(f, vector)), 1), -1, 3*m.branches)
	list := make([]nn.Modulation, m.branches)
	for k := range list {
		list[k] = nn.Modulation{Shift: v[3*k], Scale: v[3*k+1], Gate: v[3*k+2]}
	}
	return list
}

// heads sizes an attention.
func (c transformerConfig) heads() nn.Heads {
	return nn.Heads{Count: c.Heads, Width: c.HeadWidth, Epsilon: c.Epsilon, Bias: nn.NoBias}
}

// feedForward is linear, SwiGLU, linear.
type feedForward struct {
	name    string
	in, out *nn.Linear
}

func newFeedForward(c weights.Cursor, cfg transformerConfig) *feedForward {
	return &feedForward{
		c.Path(),
		nn.NewLinear(c.In("linear_in"), cfg.width(), 2*cfg.inner(), nn.NoBias),
		nn.NewLinear(c.In("linear_out"), cfg.inner(), cfg.width(), nn.NoBias),
	}
}

// apply keeps the shape of x [B, S, width].
func (l *feedForward) apply(f nn.Pass, x *Node) *Node {
	return f.Record(l.name, l.out.Apply(f, swiGLU(l.in.Apply(f, x))))
}

// swiGLU gates the second half of the last axis by the SiLU of the first.
func swiGLU(x *Node) *Node {
	halves := Split(x, -1, 2)
	return Mul(nn.SiLU(halves[0]), halves[1])
}

// newEmbedder reads linear, SiLU, linear.
func newEmbedder(c weights.Cursor, in, width int) *nn.MLP {
	return &nn.MLP{
		Name: c.Path(), Activation: nn.SiLU,
		In:  nn.NewLinear(c.In("linear_1"), in, width, nn.NoBias),
		Out: nn.NewLinear(c.In("linear_2"), width, width, nn.NoBias),
	}
}
