// Package cost says, of a graph that is built and not yet compiled, what its program
// will take: bytes of the device's memory and floating-point operations.
//
// The memory is what XLA would give the program: operations that work number by number
// are fused with those that use them and leave nothing behind, the others' results live
// from where they are made to where they are last used, in the order in which the graph
// was built. What a compiler makes of a graph is its own affair, so this is an estimate.
package cost

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Cost is what a program takes.
type Cost struct {
	Weights    int64   // bytes of the variables that it reads, in the precision of their files
	Inputs     int64   // bytes of what else it is given
	Outputs    int64   // bytes of its results
	Scratch    int64   // bytes of what lives in between, at most at once
	Operations float64 // floating-point, of matrix products and convolutions
}

// Bytes are those that the program has at most at once, besides what others hold:
// results and scratch space.
func (c Cost) Bytes() int64 { return c.Outputs + c.Scratch }

// Of returns the cost of a graph with these outputs. Parameters that variable names are
// weights.
func Of(outputs []*Node, variable func(name string) bool) Cost {
	p := newProgram(outputs)
	var c Cost
	for _, o := range p.ops {
		if o.node.Type() == NodeTypeParameter {
			if variable(o.node.GetParameterName()) {
				c.Weights += o.bytes
			} else {
				c.Inputs += o.bytes
			}
		}
		c.Operations += operations(o.node)
	}
	for _, x := range outputs {
		c.Outputs += bytesOf(x)
	}
	c.Scratch = p.peak()
	return c
}

// bytesOf is the size of a node's result.
func bytesOf(x *Node) int64 {
	if x.NumOutputs() != 1 {
		return 0 // its parts are nodes of their own
	}
	return int64(x.Shape().ByteSize())
}
