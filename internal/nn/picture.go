package nn

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Double repeats every pixel of x [B, H, W, C] twice along both axes: nearest
// neighbour upsampling to [B, 2H, 2W, C].
func Double(x *Node) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], 1, d[2], 1, d[3])
	x = BroadcastToDims(x, d[0], d[1], 2, d[2], 2, d[3])
	return Reshape(x, d[0], 2*d[1], 2*d[2], d[3])
}

// PadEnd puts a row of zeros below x [B, H, W, C] and a column on its right: the
// lopsided padding of diffusers' downsampling convolutions.
func PadEnd(x *Node) *Node {
	for _, axis := range []int{1, 2} {
		d := append([]int(nil), x.Shape().Dimensions...)
		d[axis] = 1
		x = Concatenate([]*Node{x, Zeros(x.Graph(), shapes.Make(x.DType(), d...))}, axis)
	}
	return x
}
