package gemma3

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
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

// tower is SigLIP's vision transformer: every patch attends to every other, and
// there is no class token.
type tower struct {
	patches   *vision.PatchEmbedding
	positions *nn.Embedding // of patches, row by row
	encoder   *vision.Encoder
	norm      *nn.LayerNorm
}

// encoder describes the tower's blocks.
func (c visionConfig) encoder() (nn.EncoderConfig, error) {
	activation, err := nn.Activation(c.Activation)
	if err != nil {
		return nn.EncoderConfig{}, fmt.Errorf("hidden_act: %w", err)
	}
	return nn.EncoderConfig{
		Layers: c.Layers, Hidden: c.Hidden, Intermediate: c.Intermediate, Heads: c.Heads, Epsilon: c.Epsilon, Activation: activation,
	}, nil
}

// newTower reads the tower's parameters at the cursor of the vision model.
func newTower(c weights.Cursor, cfg visionConfig, blocks nn.EncoderConfig) *tower {
	embeddings := c.In("embeddings")
	return &tower{
		patches:   vision.NewPatchEmbedding(embeddings.In("patch_embedding"), cfg.Channels, cfg.Hidden, cfg.PatchSize, true),
		positions: nn.NewEmbedding(embeddings.In("position_embedding"), cfg.patches()*cfg.patches(), cfg.Hidden),
		encoder:   vision.NewEncoder(c.In("encoder"), blocks),
		norm:      nn.NewLayerNorm(c.In("post_layernorm"), cfg.Hidden, cfg.Epsilon),
	}
}

// Apply maps pixels [B, H, W, 3] to patches [B, rows·columns, hidden], in the dtype
// of x.
func (t *tower) Apply(f nn.Pass, x *Node) *Node {
	x = t.patches.Apply(f, x)
	x = Add(x, InsertAxes(ConvertDType(t.positions.Weight.NodeValue(x), x.DType()), 0))
	f.Record("patch_embed", x)
	return f.Record("vision_output", t.norm.Apply(f, t.encoder.Apply(f, x)))
}

// projector makes the language model's image tokens of patches: the mean of every
// square of them, normed, times a matrix.
type projector struct {
	rows, window int
	norm         *nn.OffsetRMSNorm
	matrix       *model.Variable // [in, out], other than a linear layer's
}

// newProjector reads the projector's parameters.
func newProjector(c weights.Cursor, cfg modelConfig) *projector {
	return &projector{
		rows:   cfg.Vision.patches(),
		window: cfg.window(),
		norm:   nn.NewOffsetRMSNorm(c.In("mm_soft_emb_norm"), cfg.Vision.Hidden, cfg.Vision.Epsilon),
		matrix: c.Variable("mm_input_projection_weight", cfg.Vision.Hidden, cfg.Text.Hidden),
	}
}

// Apply maps patches [B, rows·rows, in] to tokens [B, (rows/window)², out]. Rows and
// columns that fill no window are left out.
func (t *projector) Apply(f nn.Pass, x *Node) *Node {
	dtype, d, side := x.DType(), x.Shape().Dimensions, t.rows/t.window
	used := AxisRange(0, side*t.window)
	x = Slice(Reshape(x, d[0], t.rows, t.rows, d[2]), AxisRange(), used, used)
	x = Reshape(x, d[0], side, t.window, side, t.window, d[2])
	x = Reshape(ReduceMean(ConvertDType(x, dtypes.Float32), 2, 4), d[0], side*side, d[2])
	x = t.norm.Apply(f, ConvertDType(x, dtype))
	dot := Dot(x, ConvertDType(t.matrix.NodeValue(x), dtype))
	if dtype.IsHalfPrecision() {
		dot = dot.WithAccumulatorDType(dtype) // see nn.Linear
	}
	return f.Record("projector_output", dot.General([]int{2}, nil, []int{0}, nil))
}
