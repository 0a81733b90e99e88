package nn

import (
	"cmp"

	. "github.com/gomlx/gomlx/core/graph"
)

// MultiHead is attention of several heads, with the linear layers around it.
type MultiHead struct {
	Name         string
	Q, K, V, Out *Linear
	NormQ, NormK Layer // of queries and keys, per head; nil for none
	AcrossHeads  bool  // the norms are of all heads together
	Heads        int
	KVHeads      int // of keys and values, which some heads share; 0 = Heads
}

// Project returns queries of x [B, S, width] and keys and values of context
// [B, T, from]: [B, S, N, D] and [B, T, N or KVHeads, D].
func (a *MultiHead) Project(f Pass, x, context *Node) (q, k, v *Node) {
	q = a.split(f, a.NormQ, a.Q.Apply(f, x), a.Heads)
	k, v = a.KeysAndValues(f, context)
	return q, k, v
}

// KeysAndValues returns those of context [B, T, from], as Project does.
func (a *MultiHead) KeysAndValues(f Pass, context *Node) (k, v *Node) {
	heads := cmp.Or(a.KVHeads, a.Heads)
	k = a.split(f, a.NormK, a.K.Apply(f, context), heads)
	return k, SplitHeads(a.V.Apply(f, context), heads)
}

// split normalises x [B, S, N·D] and brings it to [B, S, N, D].
func (a *MultiHead) split(f Pass, norm Layer, x *Node, heads int) *Node {
	if a.AcrossHeads {
		return SplitHeads(optional(norm, f, x), heads)
	}
	return optional(norm, f, SplitHeads(x, heads))
}

// optional applies a layer that not every model has.
func optional(l Layer, f Pass, x *Node) *Node {
	if l == nil {
		return x
	}
	return l.Apply(f, x)
}

// Apply lets x [B, S, width] attend to context [B, T, from]. bias is added to the
// scores, as in Attention.
func (a *MultiHead) Apply(f Pass, x, context, bias *Node) *Node {
	q, k, v := a.Project(f, x, context)
	return a.Output(f, Attention(q, k, v, bias))
}

// Output maps what was attended to, [B, S, N·D], to the attention's output.
func (a *MultiHead) Output(f Pass, attended *Node) *Node {
	return f.Record(a.Name, a.Out.Apply(f, attended))
}
