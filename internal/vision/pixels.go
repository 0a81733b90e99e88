package vision

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Resize brings pictures [B, H, W, C] to a size, one matrix per axis: exactly
// linear, with exact gradients.
func Resize(x *Node, to Size, f Filter) *Node { return ResizeCrop(x, to, to, f) }

// ResizeSteps is Resize to one size after the other, without the pictures between: of
// the steps along an axis one matrix is made.
func ResizeSteps(x *Node, f Filter, steps ...Size) *Node {
	from := Size{x.Shape().Dim(1), x.Shape().Dim(2)}
	var heights, widths []int // without steps that change nothing
	for at, k := from, 0; k < len(steps); at, k = steps[k], k+1 {
		if steps[k].Height != at.Height {
			heights = append(heights, steps[k].Height)
		}
		if steps[k].Width != at.Width {
			widths = append(widths, steps[k].Width)
		}
	}
	x = ConvertDType(x, dtypes.Float32)
	if widths != nil {
		x = Einsum("bhwc,vw->bhvc", x, Const(x.Graph(), dense(f.through(from.Width, widths...), from.Width)))
	}
	if heights != nil {
		x = Einsum("bhwc,uh->buwc", x, Const(x.Graph(), dense(f.through(from.Height, heights...), from.Height)))
	}
	return x
}

// ResizeCrop is Resize and then CenterCrop, without the pixels that would be cut
// off. Of an elongated picture they may be very many.
func ResizeCrop(x *Node, to, crop Size, f Filter) *Node {
	d := x.Shape().Dimensions
	top, left := centre(to, crop)
	x = ConvertDType(x, dtypes.Float32)
	if to.Width != d[2] || crop.Width != d[2] {
		x = Einsum("bhwc,vw->bhvc", x, Const(x.Graph(), f.matrix(d[2], to.Width, left, crop.Width)))
	}
	if to.Height != d[1] || crop.Height != d[1] {
		x = Einsum("bhwc,uh->buwc", x, Const(x.Graph(), f.matrix(d[1], to.Height, top, crop.Height)))
	}
	return x
}

// centre is where the middle of a picture begins. An odd pixel more stays at the
// bottom or at the right.
func centre(of, crop Size) (top, left int) {
	if crop.Height < 1 || crop.Width < 1 || of.Height < crop.Height || of.Width < crop.Width {
		exceptions.Panicf("vision: crop of %s from %s", crop, of)
	}
	return (of.Height - crop.Height) / 2, (of.Width - crop.Width) / 2
}

// Limit clamps pixels to [0, 1]. The gradient is torch's: 1 inside and at both
// ends, 0 outside. (That of GoMLX's own Clip differs at the ends.)
func Limit(x *Node) *Node {
	inside := And(GreaterOrEqual(x, ScalarZero(x.Graph(), x.DType())), LessOrEqual(x, ScalarOne(x.Graph(), x.DType())))
	return Where(inside, x, StopGradient(ClipScalar(x, 0, 1)))
}

// Stretch maps each picture's range of values to [0, 1], by its own minimum and
// maximum over all channels, with gradients through both: what the paper's
// reference does in place of clamping. A picture of one colour becomes 0.
func Stretch(x *Node) *Node {
	low := extreme(x, ReduceAndKeep(x, ReduceMin, 1, 2, 3))
	high := extreme(x, ReduceAndKeep(x, ReduceMax, 1, 2, 3))
	span := Sub(high, low)
	span = Where(Equal(span, ZerosLike(span)), OnesLike(span), span)
	return Div(Sub(x, low), span)
}

// extreme gives value, a minimum or maximum of x, torch's gradient: shared evenly
// by all elements that have it.
func extreme(x, value *Node) *Node {
	value = StopGradient(value)
	has := ConvertDType(Equal(x, value), x.DType())
	change := Mul(has, Sub(x, StopGradient(x))) // 0, with a gradient
	return Add(value, Div(ReduceAndKeep(change, ReduceSum, 1, 2, 3), ReduceAndKeep(has, ReduceSum, 1, 2, 3)))
}

// Normalize subtracts a mean from every channel and divides by a standard
// deviation.
func Normalize(x *Node, mean, deviation []float64) *Node {
	channels := x.Shape().Dim(-1)
	if len(mean) != channels || len(deviation) != channels {
		exceptions.Panicf("vision: %d means and %d deviations for %d channels", len(mean), len(deviation), channels)
	}
	return Div(Sub(x, perChannel(x, mean)), perChannel(x, deviation))
}

func perChannel(x *Node, values []float64) *Node {
	return ConvertDType(Const(x.Graph(), [][][][]float64{{{values}}}), x.DType())
}

// CenterCrop cuts the middle out of pictures that are at least as large.
func CenterCrop(x *Node, to Size) *Node {
	d := x.Shape().Dimensions
	top, left := centre(Size{d[1], d[2]}, to)
	return Slice(x, AxisRange(), AxisRange(top, top+to.Height), AxisRange(left, left+to.Width))
}
