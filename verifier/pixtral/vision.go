package pixtral

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

// visionModel is all that comes before the language model: the tower, and two linear
// layers to the language model's width.
type visionModel struct {
	tower     *vision.Pixtral
	projector *nn.MLP
}

// newVision reads the parameters of the tower and of the projector. readConfig has
// checked the names of activations.
func newVision(tower, projector weights.Cursor, cfg modelConfig) *visionModel {
	return &visionModel{
		tower: vision.NewPixtral(tower, cfg.Vision),
		projector: &nn.MLP{
			Name:       "projector_output", // as the fixtures have it in all models
			In:         nn.NewLinear(projector.In("linear_1"), cfg.Vision.Hidden, cfg.Text.Hidden, cfg.ProjectorBias),
			Out:        nn.NewLinear(projector.In("linear_2"), cfg.Text.Hidden, cfg.Text.Hidden, cfg.ProjectorBias),
			Activation: nn.MustActivation(cfg.Activation),
		},
	}
}

// Apply maps normalised pictures [B, H, W, 3] to [B, T, hidden], in their dtype,
// T being the number of whole patches.
func (v *visionModel) Apply(f nn.Pass, x *Node) *Node {
	return v.projector.Apply(f, v.tower.Apply(f, x))
}

// activations estimates what the backward pass of a picture of that many patches
// needs to keep, in numbers.
func (c modelConfig) activations(patches int) int {
	return c.Vision.Activations(patches) + 3*patches*c.Text.Hidden
}
