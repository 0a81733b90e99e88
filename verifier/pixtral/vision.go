package pixtral

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	return m.vision.Apply(f, ConvertDType(x, m.dtype))
}

// normEpsilon of the tower's norms; transformers has it in its code.
const normEpsilon = 1e-5

// visionModel is all that comes before the language model: the tower, a transformer
// without biases whose rotary embedding goes by row and by column, and two linear
// layers to the language model's width.
type visionModel struct {
	config    visionConfig
	patches   *vision.PatchEmbedding
	norm      *nn.RMSNorm
	blocks    []*block
	projector *nn.MLP
}

// newVision reads the parameters of the tower and of the projector. readConfig has
// checked the names of activations.
func newVision(tower, projector weights.Cursor, cfg modelConfig) *visionModel {
	c := cfg.Vision
	v := &visionModel{
		config:  c,
		patches: vision.NewPatchEmbedding(tower.In("patch_conv"), c.Channels, c.Hidden, c.PatchSize, nn.NoBias),
		norm:    nn.NewRMSNorm(tower.In("ln_pre"), c.Hidden, normEpsilon, nn.NoBias),
		projector: &nn.MLP{
			Name:       "projector_output", // as the fixtures have it in all models
			In:         nn.NewLinear(projector.In("linear_1"), c.Hidden, cfg.Text.Hidden, cfg.ProjectorBias),
			Out:        nn.NewLinear(projector.In("linear_2"), cfg.Text.Hidden, cfg.Text.Hidden, cfg.ProjectorBias),
			Activation: nn.MustActivation(cfg.Activation),
		},
	}
	for i := range c.Layers {
		v.blocks = append(v.blocks, newBlock(tower.In("transformer", "layers", i), c))
	}
	return v
}

// Apply maps normalised pictures [B, H, W, 3] to [B, T, hidden], in their dtype,
// T being the number of whole patches.
func (v *visionModel) Apply(f nn.Pass, x *Node) *Node {
	d := x.Shape().Dimensions
	rotary := v.config.rotary(v.patches.Grid(vision.Size{Height: d[1], Width: d[2]})).In(x.Graph())
	x = f.Record("patch_embed", v.norm.Apply(f, v.patches.Apply(f, x)))
	for i, b := range v.blocks {
		x = f.Record(fmt.Sprint("vision_blocks.", i), b.apply(f, x, rotary))
	}
	f.Record("vision_output", x)
	return v.projector.Apply(f, x)
}

// rotary is the table of angles for a grid of patches, row by row. Of the
// frequencies, every second from the fastest on goes by the row; those come first
// in a head; the others go by the column.
func (c visionConfig) rotary(grid vision.Size) nn.RotaryTable {
	pairs := c.Hidden / c.Heads / 2
	var table nn.RotaryTable
	for row := range grid.Height {
		for col := range grid.Width {
			var angles []float64
			for first, at := range []int{row, col} {
				for k := first; k < pairs; k += 2 {
					angles = append(angles, float64(at)*math.Pow(c.theta(), -float64(k)/float64(pairs)))
				}
			}
			table.Add(angles)
		}
	}
	return table
}

type block struct {
	normAttn, normMLP *nn.RMSNorm
	attention         *nn.MultiHead
	mlp               *nn.GatedMLP
}

func newBlock(c weights.Cursor, cfg visionConfig) *block {
	attn := c.In("attention")
	project := func(name string) *nn.Linear { return nn.NewLinear(attn.In(name), cfg.Hidden, cfg.Hidden, nn.NoBias) }
	return &block{
		normAttn: nn.NewRMSNorm(c.In("attention_norm"), cfg.Hidden, normEpsilon, nn.NoBias),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.Heads,
			Q: project("q_proj"), K: project("k_proj"), V: project("v_proj"), Out: project("o_proj"),
		},
		normMLP: nn.NewRMSNorm(c.In("ffn_norm"), cfg.Hidden, normEpsilon, nn.NoBias),
		mlp:     nn.NewGatedMLP(c.In("feed_forward"), cfg.Hidden, cfg.Intermediate, cfg.Hidden, nn.MustActivation(cfg.Activation), nn.NoBias),
	}
}

// apply maps patches [B, T, hidden]; all of a picture attend to each other.
func (b *block) apply(f nn.Pass, x *Node, rotary nn.Rotary) *Node {
	x = f.Enter(x)
	h := b.normAttn.Apply(f, x)
	q, k, v := b.attention.Project(f, h, h)
	h = nn.Attention(rotary.RotateHalves(q), rotary.RotateHalves(k), v, nil)
	x = Add(x, b.attention.Output(f, h))
	x = Add(x, b.mlp.Apply(f, b.normMLP.Apply(f, x)))
	return f.Leave(x)
}

// activations estimates what the backward pass of a picture of that many patches
// needs to keep, in numbers.
func (c modelConfig) activations(patches int) int {
	v := c.Vision
	return v.Layers*patches*(10*v.Hidden+4*v.Intermediate+2*v.Heads*patches) + 3*patches*c.Text.Hidden
}
