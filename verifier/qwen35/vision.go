package qwen35

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	patches := f.Record("pixel_values", m.config.Pictures.Process(image))
	features, _ := m.vision.Apply(f, ConvertDType(patches, m.dtype))
	return features
}
