package llava

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	x = m.tower.Apply(f, ConvertDType(x, m.dtype))
	if !m.config.ClassToken {
		x = Slice(x, AxisRange(), AxisRange(1))
	}
	return m.projector.Apply(f, f.Record("vision_output", x))
}

// newProjector reads what brings the tower's tokens [B, T, in] to the width of the
// language model's, [B, T, out].
func newProjector(c weights.Cursor, config modelConfig, activation func(x *Node) *Node) *nn.MLP {
	return &nn.MLP{
		Name:       "projector_output", // as the fixtures have it in all models
		In:         nn.NewLinear(c.In("linear_1"), config.Vision.Hidden, config.Text.Hidden, config.Bias),
		Out:        nn.NewLinear(c.In("linear_2"), config.Text.Hidden, config.Text.Hidden, config.Bias),
		Activation: activation,
	}
}
