package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// RotaryTable holds the cosines and sines of rotary position embeddings: at each
// position, every pair of numbers of a head is rotated by an angle of its own.
type RotaryTable struct {
	Cos, Sin [][]float32 // [S][D/2]
}

// NewRotaryTable makes the table for positions on several axes: axis a takes the
// next dims[a] numbers of a head, all even. It is computed in float64: angles are
// as large as positions, and float32 would leave them only four digits at the end.
func NewRotaryTable(positions [][]float64, dims []int, theta float64) RotaryTable {
	var t RotaryTable
	for _, position := range positions {
		var angles []float64
		for axis, dim := range dims {
			for k := 0; k < dim; k += 2 {
				angles = append(angles, position[axis]/math.Pow(theta, float64(k)/float64(dim)))
			}
		}
		t.Add(angles)
	}
	return t
}

// Add adds a position, whose angles are given in radians.
func (t *RotaryTable) Add(angles []float64) {
	cos, sin := make([]float32, len(angles)), make([]float32, len(angles))
	for k, angle := range angles {
		cos[k], sin[k] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	t.Cos, t.Sin = append(t.Cos, cos), append(t.Sin, sin)
}

// In brings the table into a graph.
func (t RotaryTable) In(g *Graph) Rotary {
	place := func(values [][]float32) *Node {
		return Reshape(Const(g, values), 1, len(values), 1, len(values[0]))
	}
	return Rotary{place(t.Cos), place(t.Sin)}
}

// Rotary is a rotary position embedding in a graph.
type Rotary struct {
	Cos, Sin *Node // float32, broadcast to [B, S, 1, D/2]
}

// RotateHalves rotates the pairs of x [B, S, N, D], in float32. The partner of a
// number is the one half a head further on, as in GPT-NeoX, Llama and nearly all
// models of transformers.
func (r Rotary) RotateHalves(x *Node) *Node {
	half := x.Shape().Dim(3) / 2
	y := ConvertDType(x, dtypes.Float32)
	a := Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, half))
	b := Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(half))
	rotated := Concatenate([]*Node{Sub(Mul(a, r.Cos), Mul(b, r.Sin)), Add(Mul(b, r.Cos), Mul(a, r.Sin))}, -1)
	return ConvertDType(rotated, x.DType())
}

// RotateNeighbors rotates the pairs of x [B, S, N, D], in float32. The partner of a
// number is its neighbour, as in FLUX.
func (r Rotary) RotateNeighbors(x *Node) *Node {
	d, cos, sin := x.Shape().Dimensions, InsertAxes(r.Cos, -1), InsertAxes(r.Sin, -1)
	pairs := Reshape(ConvertDType(x, dtypes.Float32), d[0], d[1], d[2], d[3]/2, 2)
	a := Slice(pairs, AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisElem(0))
	b := Slice(pairs, AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisElem(1))
	rotated := Concatenate([]*Node{Sub(Mul(a, cos), Mul(b, sin)), Add(Mul(b, cos), Mul(a, sin))}, -1)
	return ConvertDType(Reshape(rotated, d...), x.DType())
}
