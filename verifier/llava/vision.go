package llava

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	return m.projector.Apply(f, m.tower.Apply(f, ConvertDType(x, m.dtype)))
}

// tower is CLIP's vision transformer, up to the block whose output LLaVA uses: a
// class token and every patch attend to each other.
type tower struct {
	class     *model.Variable // [hidden]
	patches   *vision.PatchEmbedding
	positions *nn.Embedding // of the class token and then the patches, row by row
	norm      *nn.LayerNorm // before the blocks
	encoder   *vision.Encoder
	whole     bool // the class token is given out too
}

// encoder describes the blocks that are run.
func (c modelConfig) encoder() (nn.EncoderConfig, error) {
	activation, err := nn.Activation(c.Vision.Activation)
	if err != nil {
		return nn.EncoderConfig{}, fmt.Errorf("vision_config: hidden_act: %w", err)
	}
	return nn.EncoderConfig{
		Layers: c.Blocks, Hidden: c.Vision.Hidden, Intermediate: c.Vision.Intermediate, Heads: c.Vision.Heads,
		Epsilon: c.Vision.Epsilon, Activation: activation,
	}, nil
}

// newTower reads the tower's parameters at the cursor of the vision model.
func newTower(c weights.Cursor, config modelConfig, blocks nn.EncoderConfig) *tower {
	cfg, embeddings := config.Vision, c.In("embeddings")
	return &tower{
		class:     embeddings.Variable("class_embedding", cfg.Hidden),
		patches:   vision.NewPatchEmbedding(embeddings.In("patch_embedding"), cfg.Channels, cfg.Hidden, cfg.PatchSize, false),
		positions: nn.NewEmbedding(embeddings.In("position_embedding"), 1+cfg.patches()*cfg.patches(), cfg.Hidden),
		norm:      nn.NewLayerNorm(c.In("pre_layrnorm"), cfg.Hidden, cfg.Epsilon), // so it is called
		encoder:   vision.NewEncoder(c.In("encoder"), blocks),
		whole:     config.ClassToken,
	}
}

// Apply maps pixels [B, H, W, 3] to tokens [B, T, hidden], in the dtype of x.
func (t *tower) Apply(f nn.Pass, x *Node) *Node {
	x = t.patches.Apply(f, x)
	d := x.Shape().Dimensions
	class := ExpandLeftToRank(ConvertDType(t.class.NodeValue(x), x.DType()), 3)
	x = Concatenate([]*Node{BroadcastToDims(class, d[0], 1, d[2]), x}, 1)
	x = Add(x, InsertAxes(ConvertDType(t.positions.Weight.NodeValue(x), x.DType()), 0))
	x = f.Record("patch_embed", t.norm.Apply(f, x))
	x = t.encoder.Apply(f, x)
	if !t.whole {
		x = Slice(x, AxisRange(), AxisRange(1))
	}
	return f.Record("vision_output", x)
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
