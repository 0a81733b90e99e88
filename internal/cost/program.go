package cost

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// program is a graph as a compiler sees it: without what no output needs, without the
// nodes that only look at another's numbers.
type program struct {
	ops []*op // in the order of the graph
}

// op is an operation of a program.
type op struct {
	node   *Node
	bytes  int64
	inputs []*op // those whose numbers it reads
	users  []*op
	output bool
	spread bool // its result repeats numbers of a smaller one

	written bool // to memory
	again   bool // computed again, as often as it is used number by number
	within  bool // computed within a reduction, the only user
	last    int  // place at which its result is last read from memory
	needed  int  // place at which it, or its inputs in its place, are last read
}

// newProgram takes what the outputs need.
func newProgram(outputs []*Node) *program {
	p := &program{}
	made, converted := map[*Node]*op{}, map[conversion]*op{}
	apart := map[*Node]*Node{} // the barrier behind which the numbers are used
	for _, x := range reached(outputs) {
		if of, same := sameNumbers(x); same {
			made[x], apart[x] = made[of], apart[of]
			if x.Type() == NodeTypeSchedulingBarrier {
				apart[x] = x
			}
			continue
		}
		if x.Type() == NodeTypeConvertDType {
			in := x.Inputs()[0]
			as := conversion{made[in], x.DType(), apart[in]}
			if converted[as] == nil {
				converted[as] = p.add(x, made)
			}
			made[x] = converted[as]
			continue
		}
		made[x] = p.add(x, made)
	}
	for _, x := range outputs {
		made[x].output = true
	}
	return p
}

// conversion of the numbers of an operation. Layers that run twice convert their weights
// twice in the graph, and once in the program, unless a barrier has them wait.
type conversion struct {
	of     *op
	to     dtypes.DType
	behind *Node
}

// add adds a node's operation.
func (p *program) add(x *Node, made map[*Node]*op) *op {
	o := &op{node: x, bytes: bytesOf(x)}
	p.ops = append(p.ops, o)
	for _, in := range x.Inputs() {
		o.read(made[in])
	}
	o.spread = o.spreads()
	return o
}

// read notes an input.
func (o *op) read(in *op) {
	if !slices.Contains(o.inputs, in) {
		o.inputs = append(o.inputs, in)
		in.users = append(in.users, o)
	}
}

// reached lists the nodes that outputs need, in the order of the graph.
func reached(outputs []*Node) []*Node {
	seen := map[*Node]bool{}
	var all []*Node
	for next := slices.Clone(outputs); len(next) > 0; {
		x := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen[x] {
			seen[x] = true
			all = append(all, x)
			next = append(next, x.Inputs()...)
		}
	}
	slices.SortFunc(all, func(a, b *Node) int { return int(a.Id() - b.Id()) })
	return all
}

// sameNumbers says whose numbers a node shows in another shape, or orders.
func sameNumbers(x *Node) (of *Node, same bool) {
	switch x.Type() {
	case NodeTypeReshape, NodeTypeIdentity, NodeTypeOptimizationBarrier, NodeTypeSchedulingBarrier, NodeTypeBitcast:
		return x.Inputs()[0], true
	}
	return nil, false
}
