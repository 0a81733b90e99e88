package pixtral

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// normEpsilon of the tower's norms; transformers has it in its code.
const normEpsilon = 1e-5

// Vision is all that comes before the language model: the tower, a transformer
// without biases whose rotary embedding turns by row and by column, and two linear
// layers to the language model's width.
type Vision struct {
	config     VisionConfig
	patches    *vision.PatchEmbedding
	norm       *nn.RMSNorm
	blocks     []*block
	in, out    *nn.Linear // of the projector
	activation func(*Node) *Node
}

// NewVision reads the parameters of the tower and of the projector.
func NewVision(tower, projector weights.Cursor, cfg Config) *Vision {
	c := cfg.Vision
	linear := nn.NewLinearNoBias
	if cfg.ProjectorBias {
		linear = nn.NewLinear
	}
	v := &Vision{
		config:     c,
		patches:    vision.NewPatchEmbedding(tower.In("patch_conv"), c.Channels, c.Hidden, c.PatchSize, false),
		norm:       nn.NewRMSNorm(tower.In("ln_pre"), c.Hidden, normEpsilon),
		in:         linear(projector.In("linear_1"), c.Hidden, cfg.Text.Hidden),
		out:        linear(projector.In("linear_2"), cfg.Text.Hidden, cfg.Text.Hidden),
		activation: activation(cfg.Activation),
	}
	for i := range c.Layers {
		v.blocks = append(v.blocks, newBlock(tower.In("transformer", "layers", i), c))
	}
	return v
}

// activation returns a function whose name ReadConfig has checked.
func activation(name string) func(*Node) *Node {
	f, err := nn.Activation(name)
	if err != nil {
		panic(err)
	}
	return f
}

// Apply maps normalised pictures [B, H, W, 3] to [B, T, hidden], in their dtype,
// T being the number of whole patches.
func (v *Vision) Apply(p *nn.Probe, x *Node, checkpoint bool) *Node {
	d := x.Shape().Dimensions
	turn := v.config.rotary(v.patches.Grid(vision.Size{Height: d[1], Width: d[2]}))
	cos, sin := Const(x.Graph(), turn.Cos), Const(x.Graph(), turn.Sin)
	cos, sin = InsertAxes(cos, 0, 1), InsertAxes(sin, 0, 1) // [1, T, 1, D/2]
	x = p.See("patch_embed", v.norm.Apply(v.patches.Apply(x)))
	for i, b := range v.blocks {
		if checkpoint {
			x = x.Checkpoint()
		}
		x = b.apply(x, cos, sin)
		if checkpoint {
			x = x.StopCheckpoint()
		}
		p.In("vision_blocks").See(i, x)
	}
	p.See("vision_output", x)
	return p.See("projector_output", v.out.Apply(nil, v.activation(v.in.Apply(nil, x))))
}

// rotary is the table of angles for a grid of patches, row by row. Of the
// frequencies, every second from the fastest on turns by the row; those come first
// in a head; the others turn by the column.
func (c VisionConfig) rotary(grid vision.Size) nn.Rotary {
	pairs := c.Hidden / c.Heads / 2
	var r nn.Rotary
	for row := range grid.Height {
		for col := range grid.Width {
			var cos, sin []float32
			for first, at := range []int{row, col} {
				for k := first; k < pairs; k += 2 {
					angle := float64(at) * math.Pow(c.theta(), -float64(k)/float64(pairs))
					cos, sin = append(cos, float32(math.Cos(angle))), append(sin, float32(math.Sin(angle)))
				}
			}
			r.Cos, r.Sin = append(r.Cos, cos), append(r.Sin, sin)
		}
	}
	return r
}

type block struct {
	heads              int
	normAttn, normFeed *nn.RMSNorm
	q, k, v, o         *nn.Linear
	gate, up, down     *nn.Linear
	activation         func(*Node) *Node
}

func newBlock(c weights.Cursor, cfg VisionConfig) *block {
	attn, feed := c.In("attention"), c.In("feed_forward")
	return &block{
		heads:      cfg.Heads,
		normAttn:   nn.NewRMSNorm(c.In("attention_norm"), cfg.Hidden, normEpsilon),
		q:          nn.NewLinearNoBias(attn.In("q_proj"), cfg.Hidden, cfg.Hidden),
		k:          nn.NewLinearNoBias(attn.In("k_proj"), cfg.Hidden, cfg.Hidden),
		v:          nn.NewLinearNoBias(attn.In("v_proj"), cfg.Hidden, cfg.Hidden),
		o:          nn.NewLinearNoBias(attn.In("o_proj"), cfg.Hidden, cfg.Hidden),
		normFeed:   nn.NewRMSNorm(c.In("ffn_norm"), cfg.Hidden, normEpsilon),
		gate:       nn.NewLinearNoBias(feed.In("gate_proj"), cfg.Hidden, cfg.Intermediate),
		up:         nn.NewLinearNoBias(feed.In("up_proj"), cfg.Hidden, cfg.Intermediate),
		down:       nn.NewLinearNoBias(feed.In("down_proj"), cfg.Intermediate, cfg.Hidden),
		activation: activation(cfg.Activation),
	}
}

// apply maps patches [B, T, hidden]; all of a picture see each other.
func (b *block) apply(x, cos, sin *Node) *Node {
	h := b.normAttn.Apply(x)
	heads := func(l *nn.Linear) *Node { return nn.SplitHeads(l.Apply(nil, h), b.heads) }
	q, k := nn.RotateHalf(heads(b.q), cos, sin), nn.RotateHalf(heads(b.k), cos, sin)
	x = Add(x, b.o.Apply(nil, nn.Attention(q, k, heads(b.v), nil)))
	h = b.normFeed.Apply(x)
	return Add(x, b.down.Apply(nil, Mul(b.activation(b.gate.Apply(nil, h)), b.up.Apply(nil, h))))
}

// activations estimates what the backward pass of a picture of that many patches
// needs to keep, in numbers.
func (c Config) activations(patches int) int {
	v := c.Vision
	return v.Layers*patches*(10*v.Hidden+4*v.Intermediate+2*v.Heads*patches) + 3*patches*c.Text.Hidden
}
