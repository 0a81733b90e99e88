package qwen

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// towerEpsilon is in transformers' code, not in the configuration.
const towerEpsilon = 1e-6

// Tower is the vision tower of Qwen3-VL and Qwen3.5, a transformer in which all patches of a picture attend to each other,
// and mergers that make one token of a square of patches: of the last block's output,
// and of those of some blocks before it.
//
// Letters: B batch, R rows and C columns of tokens, M patches of a token, N = R·C·M.
type Tower struct {
	config    TowerConfig
	patch     *PatchEmbedding
	positions *nn.Embedding // of a square grid, row by row
	blocks    []*towerBlock
	merger    *merger
	deep      []*merger // one for each of config.Deep
}

// NewTower reads the tower's parameters.
func NewTower(c weights.Cursor, cfg TowerConfig) *Tower {
	v := &Tower{
		config:    cfg,
		patch:     NewPatchEmbedding(c.In("patch_embed", "proj"), cfg.Patches(), cfg.Channels, cfg.Hidden, nn.Bias),
		positions: nn.NewEmbedding(c.In("pos_embed"), cfg.Positions, cfg.Hidden),
		merger:    newMerger(c.In("merger"), cfg, 1),
	}
	for i := range cfg.Depth {
		v.blocks = append(v.blocks, newTowerBlock(c.In("blocks", i), cfg))
	}
	for i := range cfg.Deep {
		v.deep = append(v.deep, newMerger(c.In("deepstack_merger_list", i), cfg, cfg.Merge*cfg.Merge))
	}
	return v
}

// Apply maps patches [B, R, C, M, channels·frames·height·width] to features of the
// tokens [B, R·C, out], rows first, and to those for the first decoder layers.
func (v *Tower) Apply(f nn.Pass, patches *Node) (features *Node, deep []*Node) {
	d := patches.Shape().Dimensions // B R C M …
	x := f.Record("patch_embed", Reshape(v.patch.Apply(patches), d[0], d[1]*d[2]*d[3], -1))
	x = Add(x, f.Record("position_embeds", v.grid(x, d[1], d[2])))
	rotary := v.rotary(d[1], d[2]).In(x.Graph())
	for i, b := range v.blocks {
		x = f.Record(fmt.Sprint("vision_blocks.", i), b.apply(f, x, rotary))
		if k := slices.Index(v.config.Deep, i); k >= 0 {
			deep = append(deep, v.deep[k].apply(f, x, d[3]))
		}
	}
	x = f.Record("vision_output", x)
	return f.Record("projector_output", v.merger.apply(f, x, d[3])), deep
}

// rotary is the table of the 2-D rotary embedding: the first half of a head's angles
// is by row, the second by column, in patches.
func (v *Tower) rotary(rows, cols int) nn.RotaryTable {
	var positions [][]float64
	for row := range rows {
		for col := range cols {
			positions = append(positions, Places(row, col, v.config.Merge)...)
		}
	}
	half := v.config.Hidden / v.config.Heads / 2
	return nn.NewRotaryTable(positions, []int{half, half}, v.config.Rope.Base())
}

// towerBlock is a pre-norm transformer block.
type towerBlock struct {
	heads        int
	norm1, norm2 *nn.LayerNorm
	qkv, proj    *nn.Linear
	mlp          *nn.MLP
}

func newTowerBlock(c weights.Cursor, cfg TowerConfig) *towerBlock {
	attn, width := c.In("attn"), cfg.Hidden
	return &towerBlock{
		heads: cfg.Heads,
		norm1: nn.NewLayerNorm(c.In("norm1"), width, towerEpsilon),
		norm2: nn.NewLayerNorm(c.In("norm2"), width, towerEpsilon),
		qkv:   nn.NewLinear(attn.In("qkv"), width, 3*width, nn.Bias),
		proj:  nn.NewLinear(attn.In("proj"), width, width, nn.Bias),
		mlp:   nn.NewMLP(c.In("mlp"), "linear_fc1", "linear_fc2", width, cfg.Intermediate, width, nn.MustActivation(cfg.Activation)),
	}
}

// apply maps x [B, N, width].
func (b *towerBlock) apply(f nn.Pass, x *Node, rotary nn.Rotary) *Node {
	x = f.Enter(x)
	x = Add(x, b.attend(f, b.norm1.Apply(f, x), rotary))
	x = Add(x, b.mlp.Apply(f, b.norm2.Apply(f, x)))
	return f.Leave(x)
}

// attend maps [B, N, width] to the same.
func (b *towerBlock) attend(f nn.Pass, x *Node, rotary nn.Rotary) *Node {
	d := x.Shape().Dimensions
	qkv := Reshape(b.qkv.Apply(f, x), d[0], d[1], 3, b.heads, d[2]/b.heads)
	part := func(i int) *Node {
		return Squeeze(Slice(qkv, AxisRange(), AxisRange(), AxisElem(i)), 2) // [B, N, heads, D]
	}
	y := nn.Attention(rotary.RotateHalves(part(0)), rotary.RotateHalves(part(1)), part(2), nil)
	return b.proj.Apply(f, y)
}

// merger makes one token of the M patches of a square.
type merger struct {
	norm   *nn.LayerNorm
	normed int // patches that the norm joins
	mlp    *nn.MLP
}

// newMerger reads a merger whose norm is over so many patches: each by itself, or all
// of a token.
func newMerger(c weights.Cursor, cfg TowerConfig, normed int) *merger {
	width := cfg.Hidden * cfg.Merge * cfg.Merge
	return &merger{
		norm:   nn.NewLayerNorm(c.In("norm"), cfg.Hidden*normed, towerEpsilon),
		normed: normed,
		mlp:    nn.NewMLP(c, "linear_fc1", "linear_fc2", width, width, cfg.OutHidden, nn.GELU),
	}
}

// apply maps [B, N, width] to [B, N/M, out].
func (m *merger) apply(f nn.Pass, x *Node, patches int) *Node {
	d := x.Shape().Dimensions
	x = m.norm.Apply(f, Reshape(x, d[0], d[1]/m.normed, m.normed*d[2]))
	return m.mlp.Apply(f, Reshape(x, d[0], d[1]/patches, patches*d[2]))
}
