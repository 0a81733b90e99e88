package qwen25vl

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
)

// paperTarget is the size that the paper's reference brings pictures to: each side
// to the multiple of a token's side below, whatever the area. Where that leaves
// more than one patch over the reference fails; here the nearest multiple is
// taken.
func paperTarget(c qwen.Pictures, picture vision.Size) (vision.Size, error) {
	if low, high := min(picture.Height, picture.Width), max(picture.Height, picture.Width); low < 1 || high > vlm.LongestSide {
		return vision.Size{}, fmt.Errorf("%w: %s, want sides of 1 to %d", ErrPictureSize, picture, vlm.LongestSide)
	}
	unit := c.Unit()
	side := func(n int) int { return max(1, (n+unit/2)/unit) * unit }
	return vision.Size{Height: side(picture.Height), Width: side(picture.Width)}, nil
}

// process maps pictures [B, H, W, 3] to the tower's float32 pixels of the target
// size.
func (m *network) process(x *Node, to vision.Size) *Node {
	c := m.config.Processor.PictureConfig
	if m.paper {
		return vision.ProcessPaper(x, to, c)
	}
	return vision.Process(x, to, c)
}

// target is the size that pictures are brought to.
func (m *network) target(picture vision.Size) (vision.Size, error) {
	if m.paper {
		return paperTarget(m.config.Processor, picture)
	}
	return m.config.Processor.Target(picture)
}
