package smolvlm2

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	x = m.vision.Apply(f, ConvertDType(x, m.dtype)) // [B·tiles, vectors, hidden]
	d, batch := x.Shape().Dimensions, image.Shape().Dim(0)
	return Reshape(x, batch, d[0]/batch*d[1], d[2])
}

// visionModel is all that comes before the language model: the tower, and a linear
// layer to the language model's width that takes a square of patches at once.
type visionModel struct {
	config     modelConfig
	tower      *vision.SigLIP
	projection *nn.Linear
}

// newVision reads the parameters at the cursor of "model".
func newVision(c weights.Cursor, cfg modelConfig) *visionModel {
	joined := cfg.Vision.Hidden * cfg.Square * cfg.Square
	return &visionModel{
		config:     cfg,
		tower:      vision.NewSigLIP(c.In("vision_model"), cfg.Vision.tower(), cfg.Vision.blocks()),
		projection: nn.NewLinear(c.In("connector", "modality_projection", "proj"), joined, cfg.Text.Hidden, nn.NoBias),
	}
}

// Apply maps normalised tiles [B, side, side, 3] to [B, vectors, hidden], in their dtype.
func (v *visionModel) Apply(f nn.Pass, x *Node) *Node {
	x = v.tower.Apply(f, x, v.config.Vision.places)
	x = f.Record("pixel_shuffle", join(x, v.config.patches(), v.config.Square))
	return f.Record("projector_output", v.projection.Apply(f, x))
}

// join puts the patches of each square of a grid side by side, row by row: [B, n·n, C]
// becomes [B, (n/square)², square·square·C].
func join(x *Node, n, square int) *Node {
	d, side := x.Shape().Dimensions, n/square
	x = TransposeAllAxes(Reshape(x, d[0], side, square, side, square, d[2]), 0, 1, 3, 2, 4, 5)
	return Reshape(x, d[0], side*side, square*square*d[2])
}

// places is the position of each patch on the grid of learnt ones, row by row: about
// ⌊i·side/patches⌋ along each edge.
// Source: transformers v5.0.0, SmolVLMVisionEmbeddings.forward, which multiplies where
// Idefics2's of version 4 counts on.
func (c visionConfig) places(grid vision.Size) []int32 {
	buckets := func(patches int) []int32 {
		fractions := make([]float32, patches)
		for i := range fractions {
			fractions[i] = float32(i) * (1 / float32(patches))
		}
		return vision.Buckets(fractions, c.side())
	}
	return vision.Places(buckets(grid.Height), buckets(grid.Width), c.side())
}
