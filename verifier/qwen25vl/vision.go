package qwen25vl

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// visionEpsilon is in transformers' code, not in the configuration.
const visionEpsilon = 1e-6

// Vision is the vision tower: a transformer whose blocks attend, but for a few,
// within square windows, and a merger that makes one token of a square of patches.
//
// Letters: B batch, R rows and C columns of tokens, M patches of a token, N = R·C·M,
// H heads, D head dimension.
type Vision struct {
	config VisionConfig
	patch  *model.Variable // [hidden, channels, frames, height, width]: a convolution over patches that don't overlap
	blocks []*visionBlock
	merger *merger
}

// NewVision reads the tower's parameters.
func NewVision(c weights.Cursor, cfg VisionConfig) *Vision {
	v := &Vision{
		config: cfg,
		patch:  c.In("patch_embed", "proj").Variable("weight", cfg.Hidden, cfg.Channels, cfg.Frames, cfg.Patch, cfg.Patch),
		merger: newMerger(c.In("merger"), cfg),
	}
	for i := range cfg.Depth {
		v.blocks = append(v.blocks, newVisionBlock(c.In("blocks", i), cfg))
	}
	return v
}

// Apply maps patches [B, R, C, M, channels·frames·height·width] to features of the
// tokens [B, R·C, out], rows first. The probe sees the names of the fixtures; what
// it sees between the patches and the output is in the order of the windows.
func (v *Vision) Apply(p *nn.Probe, patches *Node, checkpoint bool) *Node {
	d := patches.Shape().Dimensions // B R C M …
	w := windows{rows: d[1], cols: d[2], side: v.config.side()}
	x := p.See("patch_embed", v.embed(patches)) // [B, R, C, M, width]
	x = Reshape(w.cut(Reshape(x, d[0], d[1], d[2], -1)), d[0], d[1]*d[2]*d[3], -1)

	rotary := v.rotary(w)
	cos, sin := table(x.Graph(), rotary.Cos), table(x.Graph(), rotary.Sin)
	for i, b := range v.blocks {
		groups := w.groups(d[3])
		if slices.Contains(v.config.FullBlocks, i) {
			groups = []group{{count: 1, size: x.Shape().Dim(1)}}
		}
		x = p.In("vision_blocks").See(i, b.apply(x, cos, sin, groups, checkpoint))
	}
	y := p.See("merger_windowed", v.merger.apply(p.See("vision_output", x), d[3]))
	return p.See("projector_output", Reshape(w.join(y), d[0], d[1]*d[2], -1))
}

// activations estimates the numbers that the backward pass keeps of a picture with
// so many tokens: some vectors for each patch, and attention's weights twice.
func (v *Vision) activations(rows, cols int) int {
	c := v.config
	patches, total := c.Merge*c.Merge, 0
	for i := range v.blocks {
		n := rows * cols * patches
		seen := n
		if !slices.Contains(c.FullBlocks, i) {
			seen = min(n, c.side()*c.side()*patches)
		}
		total += n * (14*c.Hidden + 4*c.Intermediate + 2*c.Heads*seen)
	}
	return total
}

// rotary is the table of the 2-D rotary embedding in the order of the windows: the
// first half of a head's angles is by row, the second by column, in patches.
func (v *Vision) rotary(w windows) nn.Rotary {
	m := v.config.Merge
	var positions [][]float64
	for _, token := range w.order() {
		row, col := token/w.cols, token%w.cols
		for i := range m {
			for j := range m {
				positions = append(positions, []float64{float64(row*m + i), float64(col*m + j)})
			}
		}
	}
	half := v.config.Hidden / v.config.Heads / 2
	return nn.NewRotary(positions, []int{half, half}, v.config.theta())
}

// table brings one of the rotary embedding into a graph: [1, N, 1, D/2].
func table(g *Graph, values [][]float32) *Node {
	return Reshape(Const(g, values), 1, len(values), 1, len(values[0]))
}

// embed maps [..., channels·frames·height·width] to [..., width].
func (v *Vision) embed(patches *Node) *Node {
	kernel := ConvertDType(v.patch.NodeValue(patches), patches.DType())
	return Dot(patches, Reshape(kernel, v.config.Hidden, -1)).General([]int{patches.Rank() - 1}, nil, []int{1}, nil)
}

// visionBlock is a transformer block.
type visionBlock struct {
	heads          int
	norm1, norm2   *nn.RMSNorm
	qkv, proj      *nn.Linear
	gate, up, down *nn.Linear
}

func newVisionBlock(c weights.Cursor, cfg VisionConfig) *visionBlock {
	attn, mlp, width := c.In("attn"), c.In("mlp"), cfg.Hidden
	return &visionBlock{
		heads: cfg.Heads,
		norm1: nn.NewRMSNorm(c.In("norm1"), width, visionEpsilon),
		norm2: nn.NewRMSNorm(c.In("norm2"), width, visionEpsilon),
		qkv:   nn.NewLinear(attn.In("qkv"), width, 3*width),
		proj:  nn.NewLinear(attn.In("proj"), width, width),
		gate:  nn.NewLinear(mlp.In("gate_proj"), width, cfg.Intermediate),
		up:    nn.NewLinear(mlp.In("up_proj"), width, cfg.Intermediate),
		down:  nn.NewLinear(mlp.In("down_proj"), cfg.Intermediate, width),
	}
}

// apply maps x [B, N, width].
func (b *visionBlock) apply(x, cos, sin *Node, groups []group, checkpoint bool) *Node {
	if checkpoint {
		x = x.Checkpoint()
	}
	x = Add(x, b.proj.Apply(nil, b.attend(b.norm1.Apply(x), cos, sin, groups)))
	h := b.norm2.Apply(x)
	x = Add(x, b.down.Apply(nil, Mul(nn.SiLU(b.gate.Apply(nil, h)), b.up.Apply(nil, h))))
	if checkpoint {
		x = x.StopCheckpoint()
	}
	return x
}

// attend maps [B, N, width] to the same; tokens see those of their own window.
func (b *visionBlock) attend(x, cos, sin *Node, groups []group) *Node {
	d := x.Shape().Dimensions
	qkv := Reshape(b.qkv.Apply(nil, x), d[0], d[1], 3, b.heads, d[2]/b.heads)
	part := func(i int) *Node {
		return Squeeze(Slice(qkv, AxisRange(), AxisRange(), AxisElem(i)), 2) // [B, N, H, D]
	}
	q, k, v := nn.RotateHalf(part(0), cos, sin), nn.RotateHalf(part(1), cos, sin), part(2)
	var outputs []*Node
	for _, g := range groups {
		y := nn.Attention(g.take(q), g.take(k), g.take(v), nil)
		outputs = append(outputs, Reshape(y, d[0], g.count*g.size, d[2]))
	}
	return Concatenate(outputs, 1)
}

// merger makes one token of the M patches of a square.
type merger struct {
	norm    *nn.RMSNorm
	in, out *nn.Linear
}

func newMerger(c weights.Cursor, cfg VisionConfig) *merger {
	width := cfg.Hidden * cfg.Merge * cfg.Merge
	return &merger{
		norm: nn.NewRMSNorm(c.In("ln_q"), cfg.Hidden, visionEpsilon),
		in:   nn.NewLinear(c.In("mlp", 0), width, width),
		out:  nn.NewLinear(c.In("mlp", 2), width, cfg.OutHidden),
	}
}

// apply maps [B, N, width] to [B, N/M, out].
func (m *merger) apply(x *Node, patches int) *Node {
	d := x.Shape().Dimensions
	h := Reshape(m.norm.Apply(x), d[0], d[1]/patches, patches*d[2])
	return m.out.Apply(nil, nn.GELU(m.in.Apply(nil, h)))
}
