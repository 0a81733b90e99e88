package mistral3

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// target is the size in which the tower looks at a picture: whole squares of patches.
func (m *network) target(picture vision.Size) vision.Size {
	return m.config.Picture.Size.Target(picture, m.config.unit())
}

// unit is the side, in pixels, of the squares that become one vector.
func (c modelConfig) unit() int { return c.Vision.PatchSize * c.Merge }

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
func (m *network) process(image *Node) *Node {
	d := image.Shape().Dimensions
	return vision.Process(image, m.target(vision.Size{Height: d[1], Width: d[2]}), m.config.Picture.PictureConfig)
}
