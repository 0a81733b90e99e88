package cost

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// fuse decides which results are never written to memory, the users' before their
// inputs'.
func (p *program) fuse() {
	for k := len(p.ops) - 1; k >= 0; k-- {
		o := p.ops[k]
		o.fused = o.fuses()
	}
}

// fuses says whether an operation is computed within each of its users, as often as
// there are any.
func (o *op) fuses() bool {
	kind := kinds[o.node.Type()]
	if o.output || kind == whole || kind == given {
		return false
	}
	for _, u := range o.users {
		if kinds[u.node.Type()] == whole {
			return false
		}
		if kind == dear && (len(o.users) > 1 || spreads(u)) {
			return false
		}
	}
	return true
}

// spreads says whether an operation reads its input several times.
func spreads(o *op) bool {
	return o.node.Type() == NodeTypeBroadcastInDim && len(o.inputs) > 0 && o.bytes > o.inputs[0].bytes
}

// kind is how an operation can be fused.
type kind int

const (
	cheap kind = iota // number by number: rather computed again than kept
	dear              // number by number, or a reduction: computed once
	whole             // on all of its input at once: reads from memory and writes to it
	given             // in memory already
)

// kinds of operations; those that are missing are cheap.
var kinds = map[NodeType]kind{
	NodeTypeParameter: given, NodeTypeConstant: given,

	NodeTypeDotGeneral: whole, NodeTypeConvGeneral: whole, NodeTypeScatterSum: whole, NodeTypeScatterMax: whole,
	NodeTypeScatterMin: whole, NodeTypeReduceWindow: whole, NodeTypeSelectAndScatterMax: whole, NodeTypeSelectAndScatterMin: whole,
	NodeTypeRNGBitGenerator: whole, NodeTypeFFT: whole, NodeTypeCumSum: whole, NodeTypeArgMinMax: whole,

	NodeTypeExp: dear, NodeTypeExpm1: dear, NodeTypeLog: dear, NodeTypeLog1p: dear, NodeTypePow: dear, NodeTypeTanh: dear,
	NodeTypeErf: dear, NodeTypeLogistic: dear, NodeTypeSin: dear, NodeTypeCos: dear, NodeTypeSqrt: dear, NodeTypeRsqrt: dear,
	NodeTypeDiv: dear, NodeTypeRem: dear, NodeTypeAtan2: dear,
	NodeTypeReduceSum: dear, NodeTypeReduceMax: dear, NodeTypeReduceMin: dear, NodeTypeReduceProduct: dear,
	NodeTypeReduceLogicalAnd: dear, NodeTypeReduceLogicalOr: dear,
}
