package nn

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// EncoderConfig describes the blocks of an encoder.
type EncoderConfig struct {
	Layers       int // that are read; an encoder whose last blocks nobody needs reads fewer than the checkpoint has
	Hidden       int
	Intermediate int // inner width of the MLP
	Heads        int // divides Hidden
	Epsilon      float64
	Activation   func(x *Node) *Node // see Activation
}

// Activations estimates what the backward pass of so many tokens needs to keep, in
// numbers.
func (c EncoderConfig) Activations(tokens int) int {
	return c.Layers * tokens * (10*c.Hidden + 2*c.Intermediate + 2*c.Heads*tokens)
}

// EncoderBlock is a pre-norm transformer block, attention and an MLP, in the names that CLIP, SigLIP and Idefics2 share.
type EncoderBlock struct {
	Name         string
	norm1, norm2 *LayerNorm
	attention    *MultiHead
	mlp          *MLP
}

// NewEncoderBlocks reads the blocks of an encoder at the cursor of its "layers".
func NewEncoderBlocks(c weights.Cursor, cfg EncoderConfig) []*EncoderBlock {
	blocks := make([]*EncoderBlock, cfg.Layers)
	for i := range blocks {
		blocks[i] = newEncoderBlock(c.In(i), cfg)
	}
	return blocks
}

func newEncoderBlock(c weights.Cursor, cfg EncoderConfig) *EncoderBlock {
	attn := c.In("self_attn")
	project := func(name string) *Linear { return NewLinear(attn.In(name), cfg.Hidden, cfg.Hidden, Bias) }
	return &EncoderBlock{
		Name:  c.Path(),
		norm1: NewLayerNorm(c.In("layer_norm1"), cfg.Hidden, cfg.Epsilon),
		norm2: NewLayerNorm(c.In("layer_norm2"), cfg.Hidden, cfg.Epsilon),
		attention: &MultiHead{
			Name: attn.Path(), Heads: cfg.Heads,
			Q: project("q_proj"), K: project("k_proj"), V: project("v_proj"), Out: project("out_proj"),
		},
		mlp: NewMLP(c.In("mlp"), "fc1", "fc2", cfg.Hidden, cfg.Intermediate, cfg.Hidden, cfg.Activation),
	}
}

// Apply maps x [B, S, hidden]. bias is added to the scores, as in Attention.
func (b *EncoderBlock) Apply(f Pass, x, bias *Node) *Node {
	x = f.Enter(x)
	h := b.norm1.Apply(f, x)
	x = Add(x, b.attention.Apply(f, h, h, bias))
	x = Add(x, b.mlp.Apply(f, b.norm2.Apply(f, x)))
	return f.Record(b.Name, f.Leave(x))
}
