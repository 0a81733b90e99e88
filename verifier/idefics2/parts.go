package idefics2

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// part is a rectangle of a picture that the tower looks at like at a picture.
type part struct {
	top, left int
	size      vision.Size
}

// parts of a picture: the whole, and before it the quarters where pictures are split.
// Source: transformers, Idefics2ImageProcessor.split_images.
func (m *network) parts(picture vision.Size) []part {
	whole := part{size: picture}
	if !m.split {
		return []part{whole}
	}
	h, w := picture.Height/2, picture.Width/2
	lower, right := picture.Height-h, picture.Width-w // an odd row or column goes here
	return []part{
		{0, 0, vision.Size{Height: h, Width: w}}, {0, w, vision.Size{Height: h, Width: right}},
		{h, 0, vision.Size{Height: lower, Width: w}}, {h, w, vision.Size{Height: lower, Width: right}}, whole,
	}
}

// cut returns a part of pictures [B, H, W, 3].
func (p part) cut(image *Node) *Node {
	return Slice(image, AxisRange(), AxisRange(p.top, p.top+p.size.Height), AxisRange(p.left, p.left+p.size.Width))
}
