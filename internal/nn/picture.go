package nn

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
)

// Patches cuts x [B, H, W, C] into patches that do not overlap: [B, H/p, W/p, p·p·C].
func Patches(x *Node, p int) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1]/p, p, d[2]/p, p, d[3])
	x = TransposeAllAxes(x, 0, 1, 3, 2, 4, 5)
	return Reshape(x, d[0], d[1]/p, d[2]/p, p*p*d[3])
}

// Unpatch is the inverse of Patches: [B, H, W, p·p·C] to [B, H·p, W·p, C]. After
// a convolution it is a pixel shuffle.
func Unpatch(x *Node, p int) *Node {
	d := x.Shape().Dimensions
	c := d[3] / (p * p)
	x = Reshape(x, d[0], d[1], d[2], p, p, c)
	x = TransposeAllAxes(x, 0, 1, 3, 2, 4, 5)
	return Reshape(x, d[0], d[1]*p, d[2]*p, c)
}

// PixelShuffle maps x [B, H, W, C·p·p], the channels' order being that of PyTorch's
// layer of this name, to [B, H·p, W·p, C].
func PixelShuffle(x *Node, p int) *Node {
	d := x.Shape().Dimensions
	c := d[3] / (p * p)
	x = Reshape(x, d[0], d[1], d[2], c, p, p)
	x = TransposeAllAxes(x, 0, 1, 4, 2, 5, 3)
	return Reshape(x, d[0], d[1]*p, d[2]*p, c)
}

// Double repeats every pixel of x [B, H, W, C] twice along both axes: nearest
// neighbour upsampling to [B, 2H, 2W, C].
func Double(x *Node) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], 1, d[2], 1, d[3])
	x = BroadcastToDims(x, d[0], d[1], 2, d[2], 2, d[3])
	return Reshape(x, d[0], 2*d[1], 2*d[2], d[3])
}

// PadZeros puts zeros (of bool, false) before and after x along some axes.
func PadZeros(x *Node, before, after int, axes ...int) *Node {
	if before == 0 && after == 0 {
		return x
	}
	padding := make([]compute.PadAxis, x.Rank()) // of all axes: graph.Pad's gradient takes one that is left out for empty
	for _, axis := range axes {
		padding[axis] = compute.PadAxis{Start: before, End: after}
	}
	return Pad(x, ScalarZero(x.Graph(), x.DType()), padding...)
}
