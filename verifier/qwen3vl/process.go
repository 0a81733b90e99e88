package qwen3vl

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/vision"
)

// process maps pictures [B, H, W, 3] to the tower's patches, float32 [B, R, C, M,
// 3·frames·patch·patch] for R rows and C columns of tokens of M patches each.
func (m *network) process(x *Node) *Node {
	d, c := x.Shape().Dimensions, m.config.Pictures
	size, err := c.Target(vision.Size{Height: d[1], Width: d[2]})
	if err != nil {
		panic(err)
	}
	return c.Cut(vision.Process(x, size, c.PictureConfig))
}
