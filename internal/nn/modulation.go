package nn

import . "github.com/gomlx/gomlx/core/graph"

// Modulation is what a condition, such as the time, does to one branch of a block
// ("adaptive layer norm"): its input, which is normalised, is scaled and shifted,
// its output gated.
type Modulation struct {
	Shift, Scale, Gate *Node // broadcast to [B, S, width]
}

// Apply is x·(1+scale) + shift.
func (m Modulation) Apply(x *Node) *Node { return Add(Mul(x, OnePlus(m.Scale)), m.Shift) }
