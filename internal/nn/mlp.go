package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// MLP is two linear layers with an activation between them.
type MLP struct {
	Name       string
	In, Out    *Linear
	Activation func(x *Node) *Node
}

// NewMLP reads an MLP with biases, whose layers have the names first and second.
func NewMLP(c weights.Cursor, first, second string, in, inner, out int, activation func(x *Node) *Node) *MLP {
	return &MLP{c.Path(), NewLinear(c.In(first), in, inner, Bias), NewLinear(c.In(second), inner, out, Bias), activation}
}

// Apply maps x [..., in] to [..., out].
func (l *MLP) Apply(f Pass, x *Node) *Node {
	return f.Record(l.Name, l.Out.Apply(f, l.Activation(l.In.Apply(f, x))))
}

// GatedMLP is an MLP with a second layer beside the first, which the first gates.
type GatedMLP struct {
	Name           string
	Gate, Up, Down *Linear
	Activation     func(x *Node) *Node
}

// NewGatedMLP reads a gated MLP in the names of Llama.
func NewGatedMLP(c weights.Cursor, in, inner, out int, activation func(x *Node) *Node, bias bool) *GatedMLP {
	return &GatedMLP{
		Name:       c.Path(),
		Gate:       NewLinear(c.In("gate_proj"), in, inner, bias),
		Up:         NewLinear(c.In("up_proj"), in, inner, bias),
		Down:       NewLinear(c.In("down_proj"), inner, out, bias),
		Activation: activation,
	}
}

// Apply maps x [..., in] to [..., out].
func (l *GatedMLP) Apply(f Pass, x *Node) *Node {
	return f.Record(l.Name, l.Down.Apply(f, Mul(l.Activation(l.Gate.Apply(f, x)), l.Up.Apply(f, x))))
}
