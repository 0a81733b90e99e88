package pixtral

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// target is the size in which the tower looks at a picture. The paper's reference
// leaves pictures as large as they are, unless the folder names one size for all;
// what is left over of a patch at the right and the bottom is then not seen.
func (m *network) target(picture vision.Size) vision.Size {
	rule := *m.config.Picture.Size
	switch {
	case !m.paper:
		return rule.Target(picture, m.config.Vision.PatchSize)
	case rule.Height > 0 && rule.Width > 0:
		return vision.Size{Height: rule.Height, Width: rule.Width}
	}
	return picture
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
func (m *network) process(image *Node) *Node {
	d := image.Shape().Dimensions
	size := m.target(vision.Size{Height: d[1], Width: d[2]})
	if m.paper {
		return vision.ProcessPaper(image, size, m.config.Picture.PictureConfig)
	}
	return vision.Process(image, size, m.config.Picture.PictureConfig)
}
