package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// AdaptedConv2D is a convolution that an adapter finds by its name.
type AdaptedConv2D struct {
	Conv2D
	Name string
}

// NewAdaptedConv2D reads a convolution with a bias.
func NewAdaptedConv2D(c weights.Cursor, in, out, kernel, stride, padding int) *AdaptedConv2D {
	return &AdaptedConv2D{*NewConv2D(c, in, out, kernel, stride, padding), c.Path()}
}

// Apply maps x [B, H, W, in] to [B, H', W', out] and adds the adapter's change; a
// nil delta leaves the base model.
func (l *AdaptedConv2D) Apply(d *lora.Delta, x *Node) *Node {
	y := l.Conv2D.Apply(x)
	k := l.Weight.Shape().Dimensions[2]
	return d.Conv(l.Name, x, y, lora.Convolution{Kernel: [2]int{k, k}, Apply: func(x, kernel *Node) *Node {
		return convolve(x, TransposeAllAxes(kernel, 2, 3, 1, 0), l.Stride, l.Padding)
	}})
}
