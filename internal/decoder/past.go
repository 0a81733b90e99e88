package decoder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Past are the keys and values of tokens that went through the model already.
// What follows them attends to them without running them again, so that several
// questions share the prefix with the picture, and gradients of all of them reach
// it. It belongs to one graph; a cache crosses graphs by its Nodes.
type Past struct {
	// Keys and Values, per layer, are [B, T, K, D]. A layer with a gated delta network
	// has the last inputs of its convolution, [B, kernel-1, channels], and its state,
	// [B, N, D, E], in their place.
	Keys, Values []*Node

	// Valid, bool [B, T], is false for padding. nil: all tokens are real.
	Valid *Node

	// Used, an int32 scalar, is how many of the T slots of a cache are filled. nil
	// in a past that grows with each span: all are.
	Used *Node
}

// Len is T: the number of tokens, in a cache the number of slots.
func (p *Past) Len() int {
	if p == nil {
		return 0
	}
	for _, k := range p.Keys {
		if grows(k) {
			return k.Shape().Dim(1)
		}
	}
	exceptions.Panicf("decoder: a past without keys")
	return 0
}

// grows says whether a layer's keys are those of tokens, and not what a gated delta
// network has in their place.
func grows(keys *Node) bool { return keys.Rank() == 4 }

// Cache returns the past with room for capacity tokens in all. What follows is
// written into it, one token at a time, and its shape stays, so that the same
// executable generates every further token. Tokens that no longer fit are lost:
// the caller has to stop before.
func (p *Past) Cache(capacity int) *Past {
	if p.Used != nil || capacity < p.Len() {
		exceptions.Panicf("decoder: a cache of %d places for a past of %d tokens", capacity, p.Len())
	}
	g, length := p.Keys[0].Graph(), p.Len()
	c := &Past{Valid: p.Valid, Used: Const(g, int32(length))}
	if c.Valid == nil {
		c.Valid = allTrue(g, p.Keys[0].Shape().Dim(0), length)
	}
	c.Valid = room(c.Valid, capacity)
	for i := range p.Keys {
		k, v := p.Keys[i], p.Values[i]
		if grows(k) {
			k, v = room(k, capacity), room(v, capacity)
		}
		c.Keys, c.Values = append(c.Keys, k), append(c.Values, v)
	}
	return c
}

// room adds zeros to axis 1 up to capacity.
func room(x *Node, capacity int) *Node { return nn.PadZeros(x, 0, capacity-x.Shape().Dim(1), 1) }

func allTrue(g *Graph, dims ...int) *Node {
	return BroadcastToDims(Const(g, true), dims...)
}

// Nodes returns a cache as outputs of a graph, for CacheOf in the next: the number of
// slots used, which are valid, then keys and values layer by layer.
func (p *Past) Nodes() []*Node {
	if p.Used == nil {
		exceptions.Panicf("decoder: only a cache crosses graphs; see Past.Cache")
	}
	nodes := []*Node{p.Used, p.Valid}
	for i := range p.Keys {
		nodes = append(nodes, p.Keys[i], p.Values[i])
	}
	return nodes
}

// CacheOf makes a cache of what its Nodes became as inputs of another graph.
func CacheOf(nodes []*Node) *Past {
	if len(nodes) < 4 || len(nodes)%2 != 0 || nodes[0].DType() != dtypes.Int32 || nodes[1].DType() != dtypes.Bool {
		exceptions.Panicf("decoder: these %d nodes are no cache", len(nodes))
	}
	p := &Past{Used: nodes[0], Valid: nodes[1]}
	for i := 2; i < len(nodes); i += 2 {
		p.Keys, p.Values = append(p.Keys, nodes[i]), append(p.Values, nodes[i+1])
	}
	return p
}
