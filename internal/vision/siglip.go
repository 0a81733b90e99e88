package vision

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// SigLIP is a SigLIP whose positions are those of a square grid that pictures of any
// shape are laid over: every patch attends to every other, and there is no class token.
type SigLIP struct {
	patches   *PatchEmbedding
	positions *nn.Embedding // [side·side, hidden]
	encoder   *Encoder
	norm      *nn.LayerNorm
}

// NewSigLIP reads the tower's parameters at the cursor of the vision model. The grid
// has image_size/patch_size positions a side.
func NewSigLIP(c weights.Cursor, cfg TowerConfig, blocks nn.EncoderConfig) *SigLIP {
	embeddings, side := c.In("embeddings"), cfg.ImageSize/cfg.PatchSize
	return &SigLIP{
		patches:   NewPatchEmbedding(embeddings.In("patch_embedding"), cfg.Channels, cfg.Hidden, cfg.PatchSize, nn.Bias),
		positions: nn.NewEmbedding(embeddings.In("position_embedding"), side*side, cfg.Hidden),
		encoder:   NewEncoder(c.In("encoder"), blocks),
		norm:      nn.NewLayerNorm(c.In("post_layernorm"), cfg.Hidden, cfg.Epsilon),
	}
}

// Apply maps pictures [B, H, W, 3] to patches [B, T, hidden], in their dtype. places
// returns the position that each patch of a grid has; see Places.
func (t *SigLIP) Apply(f nn.Pass, x *Node, places func(grid Size) []int32) *Node {
	d := x.Shape().Dimensions
	grid := t.patches.Grid(Size{Height: d[1], Width: d[2]})
	x = t.patches.Apply(f, x)
	positions := t.positions.Apply(f, Const(x.Graph(), places(grid)), x.DType())
	x = f.Record("patch_embed", Add(x, InsertAxes(positions, 0)))
	return f.Record("vision_output", t.norm.Apply(f, t.encoder.Apply(f, x)))
}
