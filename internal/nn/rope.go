package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Rotary is a table of rotary position embeddings for interleaved pairs of
// numbers: at each position, pair k of a head is turned by an angle of its own.
type Rotary struct {
	Cos, Sin [][]float32 // [S][D/2]
}

// NewRotary makes the table for positions on several axes: axis a takes the next
// dims[a] numbers of a head, all even. It is computed in float64: angles are as
// large as positions, and float32 would leave them only four digits at the end.
func NewRotary(positions [][]float64, dims []int, theta float64) Rotary {
	var r Rotary
	for _, position := range positions {
		var cos, sin []float32
		for axis, dim := range dims {
			for k := 0; k < dim; k += 2 {
				angle := position[axis] / math.Pow(theta, float64(k)/float64(dim))
				cos, sin = append(cos, float32(math.Cos(angle))), append(sin, float32(math.Sin(angle)))
			}
		}
		r.Cos, r.Sin = append(r.Cos, cos), append(r.Sin, sin)
	}
	return r
}

// Nodes brings the table into a graph, for Rotate: each [1, S, 1, D/2, 1].
func (r Rotary) Nodes(g *Graph) (cos, sin *Node) {
	place := func(table [][]float32) *Node {
		return Reshape(Const(g, table), 1, len(table), 1, len(table[0]), 1)
	}
	return place(r.Cos), place(r.Sin)
}

// Rotate turns the pairs of x [B, S, N, D], in float32.
func Rotate(x, cos, sin *Node) *Node {
	d := x.Shape().Dimensions
	pairs := Reshape(ConvertDType(x, dtypes.Float32), d[0], d[1], d[2], d[3]/2, 2)
	a := Slice(pairs, AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisElem(0))
	b := Slice(pairs, AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisElem(1))
	turned := Concatenate([]*Node{Sub(Mul(a, cos), Mul(b, sin)), Add(Mul(b, cos), Mul(a, sin))}, -1)
	return ConvertDType(Reshape(turned, d...), x.DType())
}
