package pipeline

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// ChannelsLast maps the latents of diffusers' pipelines, [B, C, H, W], to the layout
// of our networks, [B, H, W, C].
func ChannelsLast(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 3, 1) }

// ChannelsFirst is the inverse of ChannelsLast.
func ChannelsFirst(x *Node) *Node { return TransposeAllAxes(x, 0, 3, 1, 2) }

// Picture maps what a decoder draws, nominally in [-1, 1], to what a Generator's
// Decode returns: float32, nominally in [0, 1].
func Picture(x *Node) *Node {
	return ConvertDType(MulScalar(AddScalar(x, 1), 0.5), dtypes.Float32)
}
