package vision

import (
	"errors"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// PixtralModelType is the model_type of Pixtral's vision tower in config.json.
const PixtralModelType = "pixtral"

// PixtralConfig sizes Pixtral's vision tower. The fields are those of transformers'
// config.json.
type PixtralConfig struct {
	ModelType    string       `json:"model_type"`
	Hidden       int          `json:"hidden_size"`
	Intermediate int          `json:"intermediate_size"`
	Layers       int          `json:"num_hidden_layers"`
	Heads        int          `json:"num_attention_heads"`
	HeadDim      *int         `json:"head_dim"` // says no more than the two above
	Channels     int          `json:"num_channels"`
	PatchSize    int          `json:"patch_size"`
	Activation   string       `json:"hidden_act"`
	Theta        *float64     `json:"rope_theta"`
	Rope         *pixtralRope `json:"rope_parameters"` // version 5's place for the former
	ImageSize    any          `json:"image_size"`      // positions are computed, of pictures of any size
	hf.Pretrained
}

type pixtralRope struct {
	Type  string   `json:"rope_type"`
	Theta *float64 `json:"rope_theta"`
}

// DefaultPixtralConfig is what transformers fills in, but for the model_type.
func DefaultPixtralConfig() PixtralConfig {
	return PixtralConfig{Hidden: 1024, Intermediate: 4096, Layers: 24, Heads: 16, Channels: 3, PatchSize: 16, Activation: "gelu"}
}

// Base is that of the rotary embedding.
func (c PixtralConfig) Base() float64 {
	switch {
	case c.Rope != nil && c.Rope.Theta != nil:
		return *c.Rope.Theta
	case c.Theta != nil:
		return *c.Theta
	}
	return 10000
}

// Check names the first field that makes no sense or is not supported.
func (c PixtralConfig) Check() error {
	_, err := nn.Activation(c.Activation)
	err = errors.Join(
		hf.Within("hidden_act", err),
		c.Pretrained.Check(),
		hf.Require("model_type", c.ModelType, PixtralModelType),
		hf.Require("num_channels", c.Channels, 3),
		hf.Check(c.Base() > 0 && c.Base() < 1e15, "rope_theta is %v, want a positive number", c.Base()),
		hf.CheckSizes(
			hf.Size{Name: "hidden_size", Value: c.Hidden, Limit: 1 << 16},
			hf.Size{Name: "intermediate_size", Value: c.Intermediate, Limit: 1 << 18},
			hf.Size{Name: "num_hidden_layers", Value: c.Layers, Limit: 1 << 10},
			hf.Size{Name: "num_attention_heads", Value: c.Heads, Limit: 1 << 10},
			hf.Size{Name: "patch_size", Value: c.PatchSize, Limit: 1 << 10},
		),
	)
	if err == nil && c.Rope != nil {
		err = hf.Require("rope_parameters.rope_type", c.Rope.Type, "", "default", "axial")
	}
	if err != nil {
		return err
	}
	return errors.Join(
		hf.Check(c.Hidden%(2*c.Heads) == 0, "hidden_size is %d, no multiple of twice num_attention_heads, %d", c.Hidden, c.Heads),
		hf.EqualIfGiven("head_dim", c.HeadDim, "hidden_size/num_attention_heads", c.Hidden/c.Heads),
	)
}

// Activations estimates what the backward pass of a picture of that many patches needs
// to keep, in numbers.
func (c PixtralConfig) Activations(patches int) int {
	return c.Layers * patches * (10*c.Hidden + 4*c.Intermediate + 2*c.Heads*patches)
}

// pixtralEpsilon is that of the tower's norms; transformers has it in its code.
const pixtralEpsilon = 1e-5

// Pixtral is Pixtral's vision transformer: without biases, and with a rotary embedding
// that goes by row and by column.
type Pixtral struct {
	config  PixtralConfig
	patches *PatchEmbedding
	norm    *nn.RMSNorm
	blocks  []*pixtralBlock
}

// NewPixtral reads the tower's parameters; cfg has been checked.
func NewPixtral(c weights.Cursor, cfg PixtralConfig) *Pixtral {
	t := &Pixtral{
		config:  cfg,
		patches: NewPatchEmbedding(c.In("patch_conv"), cfg.Channels, cfg.Hidden, cfg.PatchSize, nn.NoBias),
		norm:    nn.NewRMSNorm(c.In("ln_pre"), cfg.Hidden, pixtralEpsilon, nn.NoBias),
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newPixtralBlock(c.In("transformer", "layers", i), cfg))
	}
	return t
}

// Apply maps normalised pictures [B, H, W, 3] to [B, T, hidden], in their dtype, T
// being the number of whole patches.
func (t *Pixtral) Apply(f nn.Pass, x *Node) *Node {
	d := x.Shape().Dimensions
	rotary := t.config.rotary(t.patches.Grid(Size{Height: d[1], Width: d[2]})).In(x.Graph())
	x = f.Record("patch_embed", t.norm.Apply(f, t.patches.Apply(f, x)))
	for i, b := range t.blocks {
		x = f.Record(fmt.Sprint("vision_blocks.", i), b.apply(f, x, rotary))
	}
	return f.Record("vision_output", x)
}

// rotary is the table of angles for a grid of patches, row by row. Of the
// frequencies, every second from the fastest on goes by the row; those come first
// in a head; the others go by the column.
func (c PixtralConfig) rotary(grid Size) nn.RotaryTable {
	pairs := c.Hidden / c.Heads / 2
	var table nn.RotaryTable
	for row := range grid.Height {
		for col := range grid.Width {
			var angles []float64
			for first, at := range []int{row, col} {
				for k := first; k < pairs; k += 2 {
					angles = append(angles, float64(at)*math.Pow(c.Base(), -float64(k)/float64(pairs)))
				}
			}
			table.Add(angles)
		}
	}
	return table
}

type pixtralBlock struct {
	normAttn, normMLP *nn.RMSNorm
	attention         *nn.MultiHead
	mlp               *nn.GatedMLP
}

func newPixtralBlock(c weights.Cursor, cfg PixtralConfig) *pixtralBlock {
	attn := c.In("attention")
	project := func(name string) *nn.Linear { return nn.NewLinear(attn.In(name), cfg.Hidden, cfg.Hidden, nn.NoBias) }
	return &pixtralBlock{
		normAttn: nn.NewRMSNorm(c.In("attention_norm"), cfg.Hidden, pixtralEpsilon, nn.NoBias),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.Heads,
			Q: project("q_proj"), K: project("k_proj"), V: project("v_proj"), Out: project("o_proj"),
		},
		normMLP: nn.NewRMSNorm(c.In("ffn_norm"), cfg.Hidden, pixtralEpsilon, nn.NoBias),
		mlp:     nn.NewGatedMLP(c.In("feed_forward"), cfg.Hidden, cfg.Intermediate, cfg.Hidden, nn.MustActivation(cfg.Activation), nn.NoBias),
	}
}

// apply maps patches [B, T, hidden]; all of a picture attend to each other.
func (b *pixtralBlock) apply(f nn.Pass, x *Node, rotary nn.Rotary) *Node {
	x = f.Enter(x)
	h := b.normAttn.Apply(f, x)
	q, k, v := b.attention.Project(f, h, h)
	h = nn.Attention(rotary.RotateHalves(q), rotary.RotateHalves(k), v, nil)
	x = Add(x, b.attention.Output(f, h))
	x = Add(x, b.mlp.Apply(f, b.normMLP.Apply(f, x)))
	return f.Leave(x)
}
