package qwen

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// PatchEmbedding makes a vector of each patch: a convolution over patches that don't
// overlap.
type PatchEmbedding struct {
	weight *model.Variable // [hidden, channels, frames, height, width]
	bias   *model.Variable // [hidden], nil without
}

// NewPatchEmbedding reads the convolution.
func NewPatchEmbedding(c weights.Cursor, p Patches, channels, hidden int, bias bool) *PatchEmbedding {
	e := &PatchEmbedding{weight: c.Variable("weight", hidden, channels, p.Frames, p.Side, p.Side)}
	if bias {
		e.bias = c.Variable("bias", hidden)
	}
	return e
}

// Apply maps patches [..., channels·frames·height·width] to [..., hidden].
func (e *PatchEmbedding) Apply(patches *Node) *Node {
	kernel := ConvertDType(e.weight.NodeValue(patches), patches.DType())
	x := Dot(patches, Reshape(kernel, kernel.Shape().Dim(0), -1)).General([]int{patches.Rank() - 1}, nil, []int{1}, nil)
	if e.bias != nil {
		x = Add(x, ExpandLeftToRank(ConvertDType(e.bias.NodeValue(x), x.DType()), x.Rank()))
	}
	return x
}
