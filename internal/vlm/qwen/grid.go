package qwen

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// grid brings the learned positions to a picture of so many rows and columns of tokens,
// [1, N, width] in the order and the dtype of x: bilinearly between the corners, which
// stay where they are.
func (v *Tower) grid(x *Node, rows, cols int) *Node {
	side, m, width := v.config.side(), v.config.Merge, v.config.Hidden
	table := ConvertDType(v.positions.Weight.NodeValue(x), dtypes.Float32)
	table = Reshape(table, side, side, width)
	table = Einsum("vs,rsd->rvd", Const(x.Graph(), between(side, cols*m)), table)
	table = Einsum("ur,rvd->uvd", Const(x.Graph(), between(side, rows*m)), table)
	table = TransposeAllAxes(Reshape(table, rows, m, cols, m, width), 0, 2, 1, 3, 4) // [R, C, m, m, width]
	return ConvertDType(Reshape(table, 1, -1, width), x.DType())
}

// between are the weights, [to][from], by which to points that are evenly spread from
// the first to the last of from are interpolated. A single point is the first.
func between(from, to int) [][]float32 {
	weights := make([][]float32, to)
	for i := range weights {
		at := 0.
		if to > 1 {
			at = float64(i*(from-1)) / float64(to-1)
		}
		floor := math.Floor(at)
		weights[i] = make([]float32, from)
		weights[i][int(floor)] = float32(1 - (at - floor))
		if at > floor {
			weights[i][int(floor)+1] = float32(at - floor)
		}
	}
	return weights
}
