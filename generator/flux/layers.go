package flux

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

const (
	mlpRatio = 4   // inner width of the feed-forward layers over the stream's
	waves    = 256 // cosines and sines of a time
)

// modulation makes shifts, scales and gates of the conditioning vector
// ("adaptive layer norm").
type modulation struct {
	linear *nn.Linear
	count  int
}

func newModulation(c weights.Cursor, width, count int) *modulation {
	return &modulation{nn.NewLinear(c.In("linear"), width, count*width), count}
}

// parts returns count vectors [B, 1, width].
func (m *modulation) parts(f pass) []*Node {
	return Split(InsertAxes(m.linear.Apply(f.delta, f.cond), 1), -1, m.count)
}

// modulate is norm(x)·(1+scale) + shift.
func modulate(x, shift, scale *Node) *Node {
	return Add(Mul(nn.Normalize(x, normEpsilon), OnePlus(scale)), shift)
}

// seeNorm shows a probe what diffusers' norms return: the modulated input and
// the parts for later.
func seeNorm(p *nn.Probe, x *Node, later []*Node) {
	if p == nil {
		return
	}
	p.See(0, x)
	for i, part := range later {
		p.See(i+1, part)
	}
}

// feedForward is linear, GELU, linear.
type feedForward struct{ in, out *nn.Linear }

func newFeedForward(c weights.Cursor, width int) *feedForward {
	return &feedForward{
		in:  nn.NewLinear(c.In("net", 0, "proj"), width, mlpRatio*width),
		out: nn.NewLinear(c.In("net", 2), mlpRatio*width, width),
	}
}

func (l *feedForward) apply(d *lora.Delta, x *Node) *Node {
	return l.out.Apply(d, nn.GELUTanh(l.in.Apply(d, x)))
}

// embedder is linear, SiLU, linear.
type embedder struct{ first, second *nn.Linear }

func newEmbedder(c weights.Cursor, in, width int) *embedder {
	return &embedder{nn.NewLinear(c.In("linear_1"), in, width), nn.NewLinear(c.In("linear_2"), width, width)}
}

func (e *embedder) apply(d *lora.Delta, x *Node) *Node {
	return e.second.Apply(d, nn.SiLU(e.first.Apply(d, x)))
}

// sineWaves maps times [B] (float32, thousands) to [B, waves]: cosines, then
// sines. Frequencies are rounded to float32 as in the reference: at a time of
// 1000 the rounding moves the phase by 6e-5.
func sineWaves(time *Node, dtype dtypes.DType) *Node {
	frequencies := make([]float32, waves/2)
	for k := range frequencies {
		exponent := float32(-math.Log(10000)) * float32(k) / (waves / 2)
		frequencies[k] = float32(math.Exp(float64(exponent)))
	}
	angles := Mul(InsertAxes(time, -1), InsertAxes(Const(time.Graph(), frequencies), 0))
	return ConvertDType(Concatenate([]*Node{Cos(angles), Sin(angles)}, -1), dtype)
}
