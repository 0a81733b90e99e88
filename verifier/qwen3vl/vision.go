package qwen3vl

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	features, _ := m.DeepFeatures(f, image)
	return features
}

// DeepFeatures implements vlm.Deep.
func (m *network) DeepFeatures(f nn.Pass, image *Node) (features *Node, deep []*Node) {
	patches := f.Record("pixel_values", m.config.Pictures.Process(image))
	return m.vision.Apply(f, ConvertDType(patches, m.dtype))
}
