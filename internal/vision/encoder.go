package vision

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// EncoderConfig describes the blocks of a tower.
type EncoderConfig struct {
	Layers       int // that are read; a tower whose last blocks nobody needs reads fewer than the checkpoint has
	Hidden       int
	Intermediate int // inner width of the MLP
	Heads        int // divides Hidden
	Epsilon      float64
	Activation   func(x *Node) *Node // see nn.Activation
}

// Encoder is a vision transformer's stack of pre-norm blocks, in the names that
// CLIP, SigLIP and Idefics2 share.
type Encoder struct {
	config EncoderConfig
	blocks []*block
}

// block is attention over all tokens, and an MLP.
type block struct {
	config       EncoderConfig
	norm1, norm2 *nn.LayerNorm
	q, k, v, out *nn.Linear
	fc1, fc2     *nn.Linear
}

// NewEncoder reads the blocks at the cursor of the tower's "encoder".
func NewEncoder(c weights.Cursor, cfg EncoderConfig) *Encoder {
	e := &Encoder{config: cfg}
	for i := range cfg.Layers {
		e.blocks = append(e.blocks, newBlock(c.In("layers", i), cfg))
	}
	return e
}

func newBlock(c weights.Cursor, cfg EncoderConfig) *block {
	attn, mlp := c.In("self_attn"), c.In("mlp")
	return &block{
		config: cfg,
		norm1:  nn.NewLayerNorm(c.In("layer_norm1"), cfg.Hidden, cfg.Epsilon),
		norm2:  nn.NewLayerNorm(c.In("layer_norm2"), cfg.Hidden, cfg.Epsilon),
		q:      nn.NewLinear(attn.In("q_proj"), cfg.Hidden, cfg.Hidden),
		k:      nn.NewLinear(attn.In("k_proj"), cfg.Hidden, cfg.Hidden),
		v:      nn.NewLinear(attn.In("v_proj"), cfg.Hidden, cfg.Hidden),
		out:    nn.NewLinear(attn.In("out_proj"), cfg.Hidden, cfg.Hidden),
		fc1:    nn.NewLinear(mlp.In("fc1"), cfg.Hidden, cfg.Intermediate),
		fc2:    nn.NewLinear(mlp.In("fc2"), cfg.Intermediate, cfg.Hidden),
	}
}

// Activations estimates what the backward pass of a picture with that many tokens
// needs to keep, in numbers.
func (c EncoderConfig) Activations(tokens int) int {
	return c.Layers * tokens * (10*c.Hidden + 2*c.Intermediate + 2*c.Heads*tokens)
}

// Apply maps tokens [B, T, hidden] to the last block's output. With checkpoint,
// the backward pass computes each block's activations again instead of keeping
// them. The probe sees each block's output, as "vision_blocks" and its number.
func (e *Encoder) Apply(p *nn.Probe, x *Node, checkpoint bool) *Node {
	p = p.In("vision_blocks")
	for i, b := range e.blocks {
		if checkpoint {
			x = x.Checkpoint()
		}
		x = b.apply(x)
		if checkpoint {
			x = x.StopCheckpoint()
		}
		p.See(i, x)
	}
	return x
}

func (b *block) apply(x *Node) *Node {
	h := b.norm1.Apply(x)
	heads := func(l *nn.Linear) *Node { return nn.SplitHeads(l.Apply(nil, h), b.config.Heads) }
	x = Add(x, b.out.Apply(nil, nn.Attention(heads(b.q), heads(b.k), heads(b.v), nil)))
	return Add(x, b.fc2.Apply(nil, b.config.Activation(b.fc1.Apply(nil, b.norm2.Apply(x)))))
}
