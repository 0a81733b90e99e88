package mistral3

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	return m.vision.Apply(f, ConvertDType(x, m.dtype))
}

// visionModel is all that comes before the language model: Pixtral's tower, and what
// brings squares of patches to the language model's width.
type visionModel struct {
	patch, merge int
	tower        *vision.Pixtral
	norm         *nn.RMSNorm
	merger       *nn.Linear // from a square of patches to the width of one
	projector    *nn.MLP
}

// newVision reads the parameters of the tower and of the projector. readConfig has
// checked the names of activations.
func newVision(tower, projector weights.Cursor, cfg modelConfig) *visionModel {
	hidden, merger := cfg.Vision.Hidden, projector.In("patch_merger", "merging_layer")
	return &visionModel{
		patch: cfg.Vision.PatchSize, merge: cfg.Merge,
		tower:  vision.NewPixtral(tower, cfg.Vision),
		norm:   nn.NewRMSNorm(projector.In("norm"), hidden, cfg.Text.Epsilon, nn.NoBias),
		merger: nn.NewLinear(merger, hidden*cfg.Merge*cfg.Merge, hidden, nn.NoBias),
		projector: &nn.MLP{
			Name:       "projector_output", // as the fixtures have it in all models
			In:         nn.NewLinear(projector.In("linear_1"), hidden, cfg.Text.Hidden, cfg.ProjectorBias),
			Out:        nn.NewLinear(projector.In("linear_2"), cfg.Text.Hidden, cfg.Text.Hidden, cfg.ProjectorBias),
			Activation: nn.MustActivation(cfg.Activation),
		},
	}
}

// Apply maps normalised pictures [B, H, W, 3] of whole squares to [B, squares, hidden],
// in their dtype.
func (v *visionModel) Apply(f nn.Pass, x *Node) *Node {
	rows, cols := x.Shape().Dim(1)/v.patch, x.Shape().Dim(2)/v.patch
	x = f.Record("projector_norm", v.norm.Apply(f, v.tower.Apply(f, x)))
	x = f.Record("patch_merger", v.merger.Apply(f, join(x, rows, cols, v.merge)))
	return v.projector.Apply(f, x)
}

// join puts the patches of each square side by side, channel by channel: [B, rows·cols, C]
// becomes [B, rows·cols/merge², C·merge·merge], row by row.
func join(x *Node, rows, cols, merge int) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], rows/merge, merge, cols/merge, merge, d[2])
	x = TransposeAllAxes(x, 0, 1, 3, 5, 2, 4)
	return Reshape(x, d[0], d[1]/(merge*merge), d[2]*merge*merge)
}

// activations estimates what the backward pass of a picture of that many vectors needs
// to keep, in numbers.
func (c modelConfig) activations(vectors int) int {
	patches := vectors * c.Merge * c.Merge
	return c.Vision.Activations(patches) + 3*patches*c.Vision.Hidden + vectors*(c.Vision.Hidden+3*c.Text.Hidden)
}
