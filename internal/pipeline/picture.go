package pipeline

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
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

// Drawing is the pass of a decoder whose backward pass keeps so many numbers: large ones are recomputed as c says.
func Drawing(rt *backends.Runtime, c backends.Checkpointing, activations int) nn.Pass {
	return nn.Pass{Checkpoint: rt.Checkpoints(c, activations*rt.DType.Size())}
}
