package cost

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// kind is how an operation can be fused.
type kind int

const (
	cheap  kind = iota // number by number: rather computed again than kept
	dear               // number by number: computed once
	reduce             // reads from memory, but for what is made for it alone
	whole              // reads from memory and writes to it
	given              // in memory already
)

// kinds of operations; those that are missing are cheap.
var kinds = map[NodeType]kind{
	NodeTypeParameter: given, NodeTypeConstant: given,

	NodeTypeDotGeneral: whole, NodeTypeConvGeneral: whole, NodeTypeScatterSum: whole, NodeTypeScatterMax: whole,
	NodeTypeScatterMin: whole, NodeTypeReduceWindow: whole, NodeTypeSelectAndScatterMax: whole, NodeTypeSelectAndScatterMin: whole,
	NodeTypeFusedScaledDotProductAttention: whole, NodeTypeFusedScaledDotProductAttentionVJP: whole,
	NodeTypeSplitNode: whole, // one of an operation's several results, which has no bytes itself

	NodeTypeRNGBitGenerator: whole, NodeTypeFFT: whole, NodeTypeCumSum: whole, NodeTypeArgMinMax: whole,

	NodeTypeReduceSum: reduce, NodeTypeReduceMax: reduce, NodeTypeReduceMin: reduce, NodeTypeReduceProduct: reduce,
	NodeTypeReduceLogicalAnd: reduce, NodeTypeReduceLogicalOr: reduce,

	NodeTypeExp: dear, NodeTypeExpm1: dear, NodeTypeLog: dear, NodeTypeLog1p: dear, NodeTypePow: dear, NodeTypeTanh: dear,
	NodeTypeErf: dear, NodeTypeLogistic: dear, NodeTypeSin: dear, NodeTypeCos: dear, NodeTypeSqrt: dear, NodeTypeRsqrt: dear,
	NodeTypeDiv: dear, NodeTypeRem: dear, NodeTypeAtan2: dear,
}

// kind of the operation. What is made of spread numbers alone is made before they are
// spread, and a division by them becomes a multiplication.
func (o *op) kind() kind {
	k := kinds[o.node.Type()]
	if k == dear && (o.spread || o.node.Type() == NodeTypeDiv && o.inputs[len(o.inputs)-1].spread) {
		return cheap
	}
	return k
}

// spreads says whether the result repeats numbers of less: a broadcast, or what goes
// number by number and has only such inputs.
func (o *op) spreads() bool {
	if k := kinds[o.node.Type()]; k > dear || len(o.inputs) == 0 {
		return false
	}
	for _, in := range o.inputs {
		if in.bytes >= o.bytes && !in.spread {
			return false
		}
	}
	return true
}

// fuse decides what is written to memory and what is computed where it is used, the
// users' turn before their inputs'.
func (p *program) fuse() {
	for k := len(p.ops) - 1; k >= 0; k-- {
		o := p.ops[k]
		o.within = len(o.users) == 1 && (o.users[0].kind() == reduce || o.users[0].within) && o.kind() == cheap && !o.output
		o.written, o.again = o.placed()
	}
}

// placed says whether the result is written to memory, and whether users that work number by
// number compute it again all the same.
func (o *op) placed() (written, again bool) {
	written = o.output
	for _, u := range o.users {
		written = written || !o.within && (u.kind() >= reduce || u.within)
	}
	switch o.kind() {
	case whole, reduce, given:
		return true, false
	case dear:
		written = written || len(o.users) > 1 || o.users[0].spread
		return written, !written
	}
	return written, !written || o.unary()
}

// unary says whether at most one input is as large as the result.
func (o *op) unary() bool {
	large := 0
	for _, in := range o.inputs {
		if in.bytes >= o.bytes && !in.spread {
			large++
		}
	}
	return large <= 1
}
