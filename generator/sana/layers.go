package sana

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// modulate is norm(x)·(1+scale) + shift.
func modulate(normed, shift, scale *Node) *Node {
	return Add(Mul(normed, OnePlus(scale)), shift)
}

// modulation makes shifts, scales and gates of a vector of the time, with offsets
// of a block's own ("adaLN-single").
type modulation struct {
	table *model.Variable // [count, width]
}

func newModulation(c weights.Cursor, count, width int) modulation {
	return modulation{c.Variable("scale_shift_table", count, width)}
}

// parts returns count vectors [B or 1, 1, width] for time [B or 1, count or 1, width].
func (m modulation) parts(time *Node) []*Node {
	table := ConvertDType(m.table.NodeValue(time), time.DType())
	return Split(Add(time, InsertAxes(table, 0)), 1, table.Shape().Dim(0))
}

// embedder is linear, an activation, linear.
type embedder struct {
	first, second *nn.Linear
	activation    func(*Node) *Node
}

func newEmbedder(c weights.Cursor, in, width int, activation func(*Node) *Node) *embedder {
	return &embedder{nn.NewLinear(c.In("linear_1"), in, width), nn.NewLinear(c.In("linear_2"), width, width), activation}
}

func (e *embedder) apply(d *lora.Delta, x *Node) *Node {
	return e.second.Apply(d, e.activation(e.first.Apply(d, x)))
}

// attention projects queries, keys, values and the result.
type attention struct {
	heads        int
	q, k, v, out *nn.Linear
}

// newAttention reads an attention from a stream of width to itself or to another
// of the same width; bias is that of queries, keys and values.
func newAttention(c weights.Cursor, width, heads, headWidth int, bias bool) *attention {
	project := nn.NewLinearNoBias
	if bias {
		project = nn.NewLinear
	}
	inner := heads * headWidth
	return &attention{
		heads: heads,
		q:     project(c.In("to_q"), width, inner),
		k:     project(c.In("to_k"), width, inner),
		v:     project(c.In("to_v"), width, inner),
		out:   nn.NewLinear(c.In("to_out", 0), inner, width),
	}
}

// project returns queries of x and keys and values of other, [B, S, N, D].
func (a *attention) project(d *lora.Delta, x, other *Node) (q, k, v *Node) {
	return nn.SplitHeads(a.q.Apply(d, x), a.heads), nn.SplitHeads(a.k.Apply(d, other), a.heads), nn.SplitHeads(a.v.Apply(d, other), a.heads)
}

// linear is linear attention of x [B, S, width] to itself.
func (a *attention) linear(d *lora.Delta, x *Node) *Node {
	return a.out.Apply(d, nn.LinearAttention(a.project(d, x, x)))
}

// cross is attention to text [B, T, width]; bias [B, 1, 1, T] hides padding.
func (a *attention) cross(d *lora.Delta, x, text, bias *Node) *Node {
	q, k, v := a.project(d, x, text)
	return a.out.Apply(d, nn.Attention(q, k, v, bias))
}
