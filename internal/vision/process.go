package vision

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Process brings pictures [B, H, W, 3] to a size and to the numbers that a tower
// reads, as the image processors of transformers do: values are clamped, and
// shrinking takes every pixel into account.
func Process(x *Node, to Size, c hf.PictureConfig) *Node { return ProcessCrop(x, to, to, c) }

// ProcessCrop is Process and then CenterCrop.
func ProcessCrop(x *Node, to, crop Size, c hf.PictureConfig) *Node {
	filter := Filter{Kernel: Kernel(c.Resample), Antialias: true}
	return Normalize(ResizeCrop(Limit(x), to, crop, filter), c.Mean, c.Std)
}

// ProcessPaper is Process as the paper's reference does it: each picture's own
// range of values is stretched, and pixels are sampled after they are normalised.
func ProcessPaper(x *Node, to Size, c hf.PictureConfig) *Node {
	return Resize(Normalize(Stretch(x), c.Mean, c.Std), to, Filter{Kernel: Bilinear})
}
