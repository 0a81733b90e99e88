package vision

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// PatchEmbedding makes a token of every square patch of a picture: a convolution
// whose stride is its kernel's side.
type PatchEmbedding struct {
	conv  *nn.Conv2D
	patch int
}

// NewPatchEmbedding reads the convolution, [hidden, channels, patch, patch].
func NewPatchEmbedding(c weights.Cursor, channels, hidden, patch int, bias bool) *PatchEmbedding {
	return &PatchEmbedding{nn.NewConv2D(c, channels, hidden, nn.Kernel{Size: patch, Stride: patch}, bias), patch}
}

// Grid is how many patches a picture of a size has; what is left over at the
// right and the bottom is cut off.
func (e *PatchEmbedding) Grid(picture Size) Size {
	return Size{picture.Height / e.patch, picture.Width / e.patch}
}

// Apply maps pictures [B, H, W, channels] to tokens [B, rows·columns, hidden] in
// the dtype of x, row by row.
func (e *PatchEmbedding) Apply(f nn.Pass, x *Node) *Node {
	d := x.Shape().Dimensions
	grid := e.Grid(Size{d[1], d[2]})
	x = Slice(x, AxisRange(), AxisRange(0, grid.Height*e.patch), AxisRange(0, grid.Width*e.patch))
	x = e.conv.Apply(f, x)
	return Reshape(x, d[0], grid.Area(), x.Shape().Dim(-1))
}
