package backends

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
)

// blueprint infers shapes for a sketch, and compiles nothing.
type blueprint struct{ compute.Builder }

// Main infers shapes.
func (b blueprint) Main() compute.Function { return outline{b.Builder.Main()} }

// outline has the operations that the pure Go backend lacks, as others of the same shapes.
type outline struct{ compute.Function }

// FusedScaledDotProductAttention has the shape of the queries, and float32 [batch, heads, tokens] for its gradient.
func (f outline) FusedScaledDotProductAttention(q, _, _ compute.Value, _ compute.AttentionAxesLayout, _ *compute.ScaledDotProductAttentionConfig) (
	output compute.Value, states []compute.Value, err error,
) {
	shape, err := f.Builder().OpShape(q) // [batch, tokens, heads, width]
	if err != nil {
		return nil, nil, err
	}
	zero, err := f.Constant([]float32{0})
	if err != nil {
		return nil, nil, err
	}
	d := shape.Dimensions
	state, err := f.BroadcastInDim(zero, shapes.Make(dtypes.Float32, d[0], d[2], d[1]), nil)
	if err != nil {
		return nil, nil, err
	}
	output, err = f.Neg(q)
	return output, []compute.Value{state}, err
}

// FusedScaledDotProductAttentionVJP has the shapes of the inputs.
func (f outline) FusedScaledDotProductAttentionVJP(
	q, k, v compute.Value, _ compute.AttentionAxesLayout, _ *compute.ScaledDotProductAttentionConfig, _ compute.Value, _ []compute.Value, _ compute.Value,
) (dq, dk, dv compute.Value, err error) {
	all := [...]compute.Value{q, k, v}
	for i, x := range all {
		if all[i], err = f.Neg(x); err != nil {
			return nil, nil, nil, err
		}
	}
	return all[0], all[1], all[2], nil
}

// Compile refuses.
func (blueprint) Compile() (compute.Executable, error) { return nil, ErrSketch }
