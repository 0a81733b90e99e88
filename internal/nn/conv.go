package nn

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors/images"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Kernel says how a convolution goes over a picture.
type Kernel struct {
	Size    int // side of the square
	Stride  int // 0 = 1
	Padding int // zeros around the picture
}

// Conv2D is a convolution of channels-last pictures by a square kernel.
type Conv2D struct {
	Name   string
	Weight *model.Variable // [out, in, size, size]
	Bias   *model.Variable // [out], nil without
	Kernel Kernel
}

// NewConv2D reads a convolution.
func NewConv2D(c weights.Cursor, in, out int, k Kernel, bias bool) *Conv2D {
	k.Stride = max(k.Stride, 1)
	l := &Conv2D{Name: c.Path(), Weight: c.Variable("weight", out, in, k.Size, k.Size), Kernel: k}
	if bias {
		l.Bias = c.Variable("bias", out)
	}
	return l
}

// Apply maps x [B, H, W, in] to [B, H', W', out].
func (l *Conv2D) Apply(f Pass, x *Node) *Node {
	y := f.weigh(l.Weight, x, func(weight *Node) *Node { return l.Kernel.convolve(x, weight) })
	if l.Bias != nil {
		y = Add(y, perChannel(l.Bias, y))
	}
	return f.Record(l.Name, f.Delta.Conv(l.Name, x, y, l.Kernel.adapted()))
}

// adapted is the convolution in which an adapter's first kernel takes the place of
// the layer's own.
func (k Kernel) adapted() lora.Convolution {
	return lora.Convolution{Kernel: [2]int{k.Size, k.Size}, Apply: k.convolve}
}

// convolve applies weight [out, in, size, size] to x [B, H, W, in].
func (k Kernel) convolve(x, weight *Node) *Node {
	weight = TransposeAllAxes(weight, 2, 3, 1, 0) // [size, size, in, out]
	switch {
	case k == Kernel{Size: 1, Stride: 1}:
		dot := Dot(x, Reshape(weight, weight.Shape().Dim(2), -1))
		if x.DType().IsHalfPrecision() {
			dot = dot.WithAccumulatorDType(x.DType()) // as in Linear
		}
		return dot.General([]int{3}, nil, []int{0}, nil)
	case k.Size == k.Stride && k.Padding == 0:
		return convolvePatches(Patches(x, k.Size), weight)
	case k.Size%2 == 1 && x.Graph().Backend().Name() == "xla":
		// Odd kernels alone: GoMLX's gradient by the input is wrong for even ones.
		pad := [2]int{k.Padding, k.Padding}
		return Convolve(x, weight).ChannelsAxis(images.ChannelsLast).Strides(k.Stride).
			PaddingPerDim([][2]int{pad, pad}).Done()
	case k.Stride > 1 && k.Size%k.Stride == 0:
		return k.convolveBlocks(x, weight)
	default:
		// The pure Go backend convolves at 0.4 GFLOP/s and multiplies matrices ten times faster.
		return convolvePatches(k.windows(x), weight)
	}
}

// convolvePatches applies a kernel [k, k, in, out] to patches [B, H', W', k·k·in].
func convolvePatches(patches, kernel *Node) *Node {
	d := kernel.Shape().Dimensions
	return Dot(patches, Reshape(kernel, d[0]*d[1]*d[2], d[3])).General([]int{3}, nil, []int{0}, nil)
}

// convolveBlocks is for strides that divide the kernel: blocks of a stride's side become
// places, over which a smaller kernel goes by single steps. It gathers and, on the way
// back, sums fewer pieces than windows does: 4 in place of 16 for a kernel of 4 by 2.
func (k Kernel) convolveBlocks(x, kernel *Node) *Node {
	s, n := k.Stride, k.Size/k.Stride
	x = PadZeros(x, k.Padding, k.Padding, 1, 2)
	d := x.Shape().Dimensions
	h, w := (d[1]-k.Size)/s+1, (d[2]-k.Size)/s+1
	x = Slice(x, AxisRange(), AxisRange(0, (h-1)*s+k.Size), AxisRange(0, (w-1)*s+k.Size), AxisRange())
	d = kernel.Shape().Dimensions
	kernel = TransposeAllAxes(Reshape(kernel, n, s, n, s, d[2], d[3]), 0, 2, 1, 3, 4, 5)
	return convolvePatches(Kernel{Size: n, Stride: 1}.windows(Patches(x, s)), Reshape(kernel, n, n, s*s*d[2], d[3]))
}

// windows gathers the numbers under the kernel at every place: [B, H', W', size·size·C].
func (k Kernel) windows(x *Node) *Node {
	x = PadZeros(x, k.Padding, k.Padding, 1, 2)
	d := x.Shape().Dimensions
	h, w := (d[1]-k.Size)/k.Stride+1, (d[2]-k.Size)/k.Stride+1
	var parts []*Node
	for i := range k.Size {
		for j := range k.Size {
			parts = append(parts, Slice(x, AxisRange(),
				AxisRange(i, i+(h-1)*k.Stride+1).Stride(k.Stride),
				AxisRange(j, j+(w-1)*k.Stride+1).Stride(k.Stride), AxisRange()))
		}
	}
	return Concatenate(parts, 3)
}
