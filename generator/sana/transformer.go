package sana

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

const (
	waves       = 256   // cosines and sines of a time
	textEpsilon = 1e-5  // of the norm of the text
	outEpsilon  = 1e-6  // of the last norm
	paddingBias = -10e3 // is added to the scores of padding
)

// Transformer predicts the velocity ε - x₀ of a rectified flow. Latents see each
// other by linear attention and by convolutions, and the text by attention; the
// time modulates them. There are no positions: the convolutions' zeros at the
// border tell the places.
//
// Layers have the names of diffusers' SanaTransformer2DModel.
type Transformer struct {
	config   TransformerConfig
	in       *nn.AdaptedConv2D
	time     *embedder
	shared   *nn.Linear // makes of the time what modulates all blocks
	text     *embedder
	textNorm *nn.RMSNorm
	blocks   []*block
	normOut  modulation
	out      *nn.Linear
}

// inputs of one pass of the transformer.
type inputs struct {
	latents *Node // [B, H, W, in]
	text    *Node // [B, T, text]
	mask    *Node // [B, T], float32: 1 for words, 0 for padding
	time    *Node // [B] or [1], float32: 0 to 1000
}

// pass is what all blocks of one pass share.
type pass struct {
	delta         *lora.Delta
	text, bias    *Node // [B, T, width], [B, 1, 1, T]
	time          *Node // [B or 1, 6, width]
	height, width int   // of the latents
	checkpoint    bool  // recompute activations in the backward pass
}

// NewTransformer reads the transformer's parameters at the root of a checkpoint.
func NewTransformer(c weights.Cursor, cfg TransformerConfig) *Transformer {
	width, time := cfg.Width(), c.In("time_embed")
	t := &Transformer{
		config:   cfg,
		in:       nn.NewAdaptedConv2D(c.In("patch_embed", "proj"), cfg.InChannels, width, 1, 1, 0),
		time:     newEmbedder(time.In("emb", "timestep_embedder"), waves, width, nn.SiLU),
		shared:   nn.NewLinear(time.In("linear"), width, 6*width),
		text:     newEmbedder(c.In("caption_projection"), cfg.TextWidth, width, nn.GELUTanh),
		textNorm: nn.NewRMSNorm(c.In("caption_norm"), width, textEpsilon),
		normOut:  newModulation(c, 2, width),
		out:      nn.NewLinear(c.In("proj_out"), width, cfg.InChannels),
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newBlock(c.In("transformer_blocks", i), cfg))
	}
	return t
}

// apply returns the velocity, [B, H, W, in] in the dtype of the latents.
func (t *Transformer) apply(p *nn.Probe, d *lora.Delta, in inputs, checkpoint bool) *Node {
	dims, width := in.latents.Shape().Dimensions, t.config.Width()
	x := Reshape(t.in.Apply(d, in.latents), dims[0], dims[1]*dims[2], width)
	p.See("patch_embed", x)
	embedded, time := t.embedTime(p.In("time_embed"), d, in)
	f := pass{
		delta: d, text: t.embedText(p, d, in), bias: InsertAxes(MulScalar(OneMinus(in.mask), paddingBias), 1, 1),
		time: Reshape(time, -1, 6, width), height: dims[1], width: dims[2], checkpoint: checkpoint,
	}
	for i, b := range t.blocks {
		x = b.apply(p.In("transformer_blocks", i), f, x)
		p.In("transformer_blocks").See(i, x)
	}
	m := t.normOut.parts(InsertAxes(embedded, 1))
	x = p.See("norm_out", modulate(nn.Normalize(x, outEpsilon), m[0], m[1]))
	x = p.See("proj_out", t.out.Apply(d, x))
	return Reshape(x, dims...)
}

// embedTime returns a vector of the time, [B or 1, width], and what modulates the
// blocks, [B or 1, 6·width].
func (t *Transformer) embedTime(p *nn.Probe, d *lora.Delta, in inputs) (embedded, modulation *Node) {
	time := MulScalar(in.time, t.config.TimeScale)
	embedded = p.See("emb", t.time.apply(d, nn.SineWaves(time, waves, in.latents.DType())))
	modulation = p.See(0, t.shared.Apply(d, nn.SiLU(embedded)))
	p.See(1, embedded)
	return embedded, modulation
}

// embedText brings the text to the stream's width, [B, T, width].
func (t *Transformer) embedText(p *nn.Probe, d *lora.Delta, in inputs) *Node {
	x := ConvertDType(in.text, in.latents.DType())
	x = p.See("caption_projection", t.text.apply(d, x))
	return p.See("caption_norm", t.textNorm.Apply(x))
}

// block attends to the latents, then to the text, and then looks at neighbours.
type block struct {
	config     TransformerConfig
	modulation modulation
	self       *attention
	cross      *attention
	feed       *nn.GatedConv
}

func newBlock(c weights.Cursor, cfg TransformerConfig) *block {
	width := cfg.Width()
	return &block{
		config:     cfg,
		modulation: newModulation(c, 6, width),
		self:       newAttention(c.In("attn1"), width, cfg.Heads, cfg.HeadWidth, cfg.AttentionBias),
		cross:      newAttention(c.In("attn2"), width, *cfg.CrossHeads, *cfg.CrossHeadWidth, true),
		feed:       nn.NewGatedConv(c.In("ff"), width, cfg.inner()),
	}
}

// apply keeps the shape of x [B, H·W, width].
func (b *block) apply(p *nn.Probe, f pass, x *Node) *Node {
	if f.checkpoint {
		x = x.Checkpoint()
	}
	m := b.modulation.parts(f.time) // shift, scale, gate of either half
	h := p.See("norm1", nn.Normalize(x, b.config.Epsilon))
	h = p.See("attn1", b.self.linear(f.delta, modulate(h, m[0], m[1])))
	x = Add(x, Mul(m[2], h))
	x = Add(x, p.See("attn2", b.cross.cross(f.delta, x, f.text, f.bias)))

	h = modulate(nn.Normalize(x, b.config.Epsilon), m[3], m[4])
	dims := h.Shape().Dimensions
	h = Reshape(h, dims[0], f.height, f.width, dims[2])
	h = p.See("ff", b.feed.Apply(p.In("ff"), f.delta, h))
	x = Add(x, Mul(m[5], Reshape(h, dims...)))
	if f.checkpoint {
		x = x.StopCheckpoint()
	}
	return x
}
