package dualprocess

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Everything that changes between the runs of a program is an input, of a shape
// that does not change, so that a program is compiled once. Inputs come in groups:
// an adapter, conditions, a micro-batch, an exam, the optimiser's state. Each group
// is a type whose method inputs lists it on the host, and whose method take reads
// it in the graph, in the same order; the two stand side by side.

// newProgram returns a program of a graph function that takes its inputs from a
// cursor, all of them, in the order in which Run is given them.
func newProgram(rt *backends.Runtime, name string, build func(in *cursor) []*Node) *graphs.Program {
	return graphs.New(rt, name, func(nodes []*Node) []*Node {
		in := &cursor{nodes}
		out := build(in)
		if len(in.nodes) != 0 {
			exceptions.Panicf("%d inputs were not used", len(in.nodes))
		}
		return out
	})
}

// cursor hands out the inputs of a graph function in order.
type cursor struct{ nodes []*Node }

// take returns the next n nodes.
func (c *cursor) take(n int) []*Node {
	if n > len(c.nodes) {
		exceptions.Panicf("%d more inputs wanted, %d are left", n, len(c.nodes))
	}
	taken := c.nodes[:n:n]
	c.nodes = c.nodes[n:]
	return taken
}

// one returns the next node.
func (c *cursor) one() *Node { return c.take(1)[0] }
