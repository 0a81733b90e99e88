package sanabase

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// modulator makes vectors that modulate a stream of one of the time, to which it
// adds offsets of its own ("adaLN-single").
type modulator struct {
	table *model.Variable // [count, width]
}

func newModulator(c weights.Cursor, count, width int) modulator {
	return modulator{c.Variable("scale_shift_table", count, width)}
}

// vectors are count vectors [B or 1, 1, width] for time [B or 1, count or 1, width].
func (m modulator) vectors(time *Node) []*Node {
	table := ConvertDType(m.table.NodeValue(time), time.DType())
	return Split(Add(time, InsertAxes(table, 0)), 1, table.Shape().Dim(0))
}

// newEmbedder reads linear, an activation, linear.
func newEmbedder(c weights.Cursor, in, width int, activation func(*Node) *Node) *nn.MLP {
	return nn.NewMLP(c, "linear_1", "linear_2", in, width, width, activation)
}

// newAttention reads an attention from a stream of width to itself or to another
// of the same width; bias is that of queries, keys and values. normed says that
// queries and keys are normalised, all heads together.
func newAttention(c weights.Cursor, width, heads, headWidth int, bias, normed bool) *nn.MultiHead {
	inner := heads * headWidth
	a := &nn.MultiHead{
		Name:  c.Path(),
		Heads: heads,
		Q:     nn.NewLinear(c.In("to_q"), width, inner, bias),
		K:     nn.NewLinear(c.In("to_k"), width, inner, bias),
		V:     nn.NewLinear(c.In("to_v"), width, inner, bias),
		Out:   nn.NewLinear(c.In("to_out", 0), inner, width, nn.Bias),
	}
	if normed {
		a.AcrossHeads = true
		a.NormQ = nn.NewRMSNorm(c.In("norm_q"), inner, headsEpsilon, nn.NoBias)
		a.NormK = nn.NewRMSNorm(c.In("norm_k"), inner, headsEpsilon, nn.NoBias)
	}
	return a
}
