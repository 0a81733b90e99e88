package qwen25vl

import (
	"fmt"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	d := image.Shape().Dimensions
	size, err := m.target(vision.Size{Height: d[1], Width: d[2]})
	if err != nil {
		panic(err)
	}
	patches := f.Record("pixel_values", m.config.Processor.Cut(m.process(image, size)))
	return m.vision.Apply(f, ConvertDType(patches, m.dtype))
}

// visionEpsilon is in transformers' code, not in the configuration.
const visionEpsilon = 1e-6

// visionTower is a transformer whose blocks attend, but for a few,
// within square windows, and a merger that makes one token of a square of patches.
//
// Letters: B batch, R rows and C columns of tokens, M patches of a token, N = R·C·M,
// H heads, D head dimension.
type visionTower struct {
	config visionConfig
	patch  *qwen.PatchEmbedding
	blocks []*visionBlock
	merger *merger
}

// newVision reads the tower's parameters.
func newVision(c weights.Cursor, cfg visionConfig) *visionTower {
	v := &visionTower{
		config: cfg,
		patch:  qwen.NewPatchEmbedding(c.In("patch_embed", "proj"), cfg.patches(), cfg.Channels, cfg.Hidden, nn.NoBias),
		merger: newMerger(c.In("merger"), cfg),
	}
	for i := range cfg.Depth {
		v.blocks = append(v.blocks, newVisionBlock(c.In("blocks", i), cfg))
	}
	return v
}

// Apply maps patches [B, R, C, M, channels·frames·height·width] to features of the
// tokens [B, R·C, out], rows first. What is recorded between the patches and the
// output is in the order of the windows.
func (v *visionTower) Apply(f nn.Pass, patches *Node) *Node {
	d := patches.Shape().Dimensions // B R C M …
	w := windows{rows: d[1], cols: d[2], side: v.config.side()}
	x := f.Record("patch_embed", v.patch.Apply(patches)) // [B, R, C, M, width]
	x = Reshape(w.cut(Reshape(x, d[0], d[1], d[2], -1)), d[0], d[1]*d[2]*d[3], -1)

	rotary := v.rotary(w).In(x.Graph())
	for i, b := range v.blocks {
		groups := w.groups(d[3])
		if slices.Contains(v.config.FullBlocks, i) {
			groups = []group{{count: 1, size: x.Shape().Dim(1)}}
		}
		x = f.Record(fmt.Sprint("vision_blocks.", i), b.apply(f, x, rotary, groups))
	}
	f.Record("vision_output", x)
	y := f.Record("merger_windowed", v.merger.apply(f, x, d[3]))
	return f.Record("projector_output", Reshape(w.join(y), d[0], d[1]*d[2], -1))
}

// activations estimates the numbers that the backward pass keeps of a picture with
// so many tokens: some vectors for each patch, and attention's weights twice.
func (v *visionTower) activations(rows, cols int) int {
	c := v.config
	patches, total := c.Merge*c.Merge, 0
	for i := range v.blocks {
		n := rows * cols * patches
		attended := n
		if !slices.Contains(c.FullBlocks, i) {
			attended = min(n, c.side()*c.side()*patches)
		}
		total += n * (14*c.Hidden + 4*c.Intermediate + 2*c.Heads*attended)
	}
	return total
}

// rotary is the table of the 2-D rotary embedding in the order of the windows: the
// first half of a head's angles is by row, the second by column, in patches.
func (v *visionTower) rotary(w windows) nn.RotaryTable {
	var positions [][]float64
	for _, token := range w.order() {
		positions = append(positions, qwen.Places(token/w.cols, token%w.cols, v.config.Merge)...)
	}
	half := v.config.Hidden / v.config.Heads / 2
	return nn.NewRotaryTable(positions, []int{half, half}, v.config.Rope.Base())
}

// visionBlock is a pre-norm transformer block: attention within windows and a gated
// MLP.
type visionBlock struct {
	heads        int
	norm1, norm2 *nn.RMSNorm
	qkv, proj    *nn.Linear
	mlp          *nn.GatedMLP
}

func newVisionBlock(c weights.Cursor, cfg visionConfig) *visionBlock {
	attn, width := c.In("attn"), cfg.Hidden
	return &visionBlock{
		heads: cfg.Heads,
		norm1: nn.NewRMSNorm(c.In("norm1"), width, visionEpsilon, nn.NoBias),
		norm2: nn.NewRMSNorm(c.In("norm2"), width, visionEpsilon, nn.NoBias),
		qkv:   nn.NewLinear(attn.In("qkv"), width, 3*width, nn.Bias),
		proj:  nn.NewLinear(attn.In("proj"), width, width, nn.Bias),
		mlp:   nn.NewGatedMLP(c.In("mlp"), width, cfg.Intermediate, width, nn.SiLU, nn.Bias),
	}
}

// apply maps x [B, N, width].
func (b *visionBlock) apply(f nn.Pass, x *Node, rotary nn.Rotary, groups []group) *Node {
	x = f.Enter(x)
	x = Add(x, b.attend(f, b.norm1.Apply(f, x), rotary, groups))
	x = Add(x, b.mlp.Apply(f, b.norm2.Apply(f, x)))
	return f.Leave(x)
}

// attend maps [B, N, width] to the same; tokens attend to those of their own window.
func (b *visionBlock) attend(f nn.Pass, x *Node, rotary nn.Rotary, groups []group) *Node {
	d := x.Shape().Dimensions
	qkv := Reshape(b.qkv.Apply(f, x), d[0], d[1], 3, b.heads, d[2]/b.heads)
	part := func(i int) *Node {
		return Squeeze(Slice(qkv, AxisRange(), AxisRange(), AxisElem(i)), 2) // [B, N, H, D]
	}
	q, k, v := rotary.RotateHalves(part(0)), rotary.RotateHalves(part(1)), part(2)
	var outputs []*Node
	for _, g := range groups {
		y := nn.Attention(g.take(q), g.take(k), g.take(v), nil)
		outputs = append(outputs, Reshape(y, d[0], g.count*g.size, d[2]))
	}
	return b.proj.Apply(f, Concatenate(outputs, 1))
}

// merger makes one token of the M patches of a square.
type merger struct {
	norm *nn.RMSNorm
	mlp  *nn.MLP
}

func newMerger(c weights.Cursor, cfg visionConfig) *merger {
	width := cfg.Hidden * cfg.Merge * cfg.Merge
	return &merger{
		norm: nn.NewRMSNorm(c.In("ln_q"), cfg.Hidden, visionEpsilon, nn.NoBias),
		mlp:  nn.NewMLP(c.In("mlp"), "0", "2", width, width, cfg.OutHidden, nn.GELU),
	}
}

// apply maps [B, N, width] to [B, N/M, out].
func (m *merger) apply(f nn.Pass, x *Node, patches int) *Node {
	d := x.Shape().Dimensions
	return m.mlp.Apply(f, Reshape(m.norm.Apply(f, x), d[0], d[1]/patches, patches*d[2]))
}
