package llava

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// tower is CLIP's vision transformer, up to the block whose output LLaVA uses: a
// class token and every patch see each other.
type tower struct {
	class   *model.Variable // [hidden]
	patches *vision.PatchEmbedding
	places  *nn.Embedding // of the class token and then the patches, row by row
	norm    *nn.LayerNorm // before the blocks
	encoder *vision.Encoder
	whole   bool // the class token is given out too
}

// encoder describes the blocks that are run.
func (c Config) encoder() (vision.EncoderConfig, error) {
	activation, err := nn.Activation(c.Vision.Activation)
	if err != nil {
		return vision.EncoderConfig{}, fmt.Errorf("vision_config: hidden_act: %w", err)
	}
	return vision.EncoderConfig{
		Layers: c.Blocks, Hidden: c.Vision.Hidden, Intermediate: c.Vision.Intermediate, Heads: c.Vision.Heads,
		Epsilon: c.Vision.Epsilon, Activation: activation,
	}, nil
}

// newTower reads the tower's parameters at the cursor of the vision model.
func newTower(c weights.Cursor, config Config, blocks vision.EncoderConfig) *tower {
	cfg, embeddings := config.Vision, c.In("embeddings")
	return &tower{
		class:   embeddings.Variable("class_embedding", cfg.Hidden),
		patches: vision.NewPatchEmbedding(embeddings.In("patch_embedding"), cfg.Channels, cfg.Hidden, cfg.PatchSize, false),
		places:  nn.NewEmbedding(embeddings.In("position_embedding"), 1+cfg.patches()*cfg.patches(), cfg.Hidden),
		norm:    nn.NewLayerNorm(c.In("pre_layrnorm"), cfg.Hidden, cfg.Epsilon), // so it is called
		encoder: vision.NewEncoder(c.In("encoder"), blocks),
		whole:   config.ClassToken,
	}
}

// Apply maps pixels [B, H, W, 3] to tokens [B, T, hidden], in the dtype of x.
func (t *tower) Apply(p *nn.Probe, x *Node, checkpoint bool) *Node {
	x = t.patches.Apply(x)
	d := x.Shape().Dimensions
	class := ExpandLeftToRank(ConvertDType(t.class.NodeValue(x), x.DType()), 3)
	x = Concatenate([]*Node{BroadcastToDims(class, d[0], 1, d[2]), x}, 1)
	x = Add(x, InsertAxes(ConvertDType(t.places.Weight.NodeValue(x), x.DType()), 0))
	x = t.encoder.Apply(p, p.See("patch_embed", t.norm.Apply(x)), checkpoint)
	if !t.whole {
		x = Slice(x, AxisRange(), AxisRange(1))
	}
	return p.See("vision_output", x)
}

// projector brings the tower's tokens to the width of the language model's.
type projector struct {
	first, second *nn.Linear
	activation    func(x *Node) *Node
}

// newProjector reads the projector's parameters.
func newProjector(c weights.Cursor, config Config, activation func(x *Node) *Node) *projector {
	layer := nn.NewLinear
	if !config.Bias {
		layer = nn.NewLinearNoBias
	}
	return &projector{
		first:      layer(c.In("linear_1"), config.Vision.Hidden, config.Text.Hidden),
		second:     layer(c.In("linear_2"), config.Text.Hidden, config.Text.Hidden),
		activation: activation,
	}
}

// Apply maps tokens [B, T, in] to [B, T, out].
func (l *projector) Apply(p *nn.Probe, x *Node) *Node {
	return p.See("projector_output", l.second.Apply(nil, l.activation(l.first.Apply(nil, x))))
}
