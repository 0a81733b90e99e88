package sanabase

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

const (
	waves        = 256   // cosines and sines of a time, or of a scale of guidance
	textEpsilon  = 1e-5  // of the norm of the text
	headsEpsilon = 1e-5  // of the norms of queries and keys
	outEpsilon   = 1e-6  // of the last norm
	paddingBias  = -10e3 // is added to the scores of padding
)

// Transformer predicts the velocity ε - x₀ of a rectified flow. Latents attend to
// each other by linear attention and by convolutions, and to the text by attention;
// the time modulates them. There are no positions: the convolutions' zeros at the
// border tell the places.
//
// Layers have the names of diffusers' SanaTransformer2DModel.
type Transformer struct {
	config   TransformerConfig
	in       *nn.Conv2D
	time     *nn.MLP
	guidance *nn.MLP    // nil where the transformer is told of none
	shared   *nn.Linear // makes of the time what modulates all blocks
	text     *nn.MLP
	textNorm *nn.RMSNorm
	blocks   []*block
	normOut  modulator
	out      *nn.Linear
}

// Inputs of one pass of the transformer.
type Inputs struct {
	Latents  *Node // [B, H, W, in]
	Text     *Node // [B, T, text]
	Mask     *Node // [B, T], float32: 1 for words, 0 for padding
	Time     *Node // [B] or [1], float32
	Guidance *Node // [B] or [1], float32, before guidance_embeds_scale; nil where the transformer is told of none
}

// condition is what all blocks are conditioned on.
type condition struct {
	text, mask    *Node // [B, T, width]; [B, 1, 1, T], added to the scores
	time          *Node // [B or 1, 6, width]
	height, width int   // of the latents
}

// NewTransformer reads the transformer's parameters at the root of a checkpoint.
func NewTransformer(c weights.Cursor, cfg TransformerConfig) *Transformer {
	width, time := cfg.Width(), c.In("time_embed")
	t := &Transformer{
		config:   cfg,
		in:       nn.NewConv2D(c.In("patch_embed", "proj"), cfg.InChannels, width, nn.Kernel{Size: 1}, nn.Bias),
		shared:   nn.NewLinear(time.In("linear"), width, 6*width, nn.Bias),
		text:     newEmbedder(c.In("caption_projection"), cfg.TextWidth, width, nn.GELUTanh),
		textNorm: nn.NewRMSNorm(c.In("caption_norm"), width, textEpsilon, nn.NoBias),
		normOut:  newModulator(c, 2, width),
		out:      nn.NewLinear(c.In("proj_out"), width, cfg.InChannels, nn.Bias),
	}
	if cfg.Guidance {
		t.time = newEmbedder(time.In("timestep_embedder"), waves, width, nn.SiLU)
		t.guidance = newEmbedder(time.In("guidance_embedder"), waves, width, nn.SiLU)
	} else {
		t.time = newEmbedder(time.In("emb", "timestep_embedder"), waves, width, nn.SiLU)
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newBlock(c.In("transformer_blocks", i), cfg))
	}
	return t
}

// Apply returns the velocity, [B, H, W, in] in the dtype of the latents.
func (t *Transformer) Apply(f nn.Pass, in Inputs) *Node {
	dims, width := in.Latents.Shape().Dimensions, t.config.Width()
	x := Reshape(t.in.Apply(f, in.Latents), dims[0], dims[1]*dims[2], width)
	f.Record("patch_embed", x)
	embedded, time := t.embedTime(f, in)
	c := condition{
		text: t.embedText(f, in), mask: InsertAxes(MulScalar(OneMinus(in.Mask), paddingBias), 1, 1),
		time: Reshape(time, -1, 6, width), height: dims[1], width: dims[2],
	}
	for _, b := range t.blocks {
		x = b.apply(f, c, x)
	}
	v := t.normOut.vectors(InsertAxes(embedded, 1))
	m := nn.Modulation{Shift: v[0], Scale: v[1]}
	x = f.Record("norm_out", m.Apply(nn.Normalize(x, outEpsilon)))
	return Reshape(t.out.Apply(f, x), dims...)
}

// embedTime returns a vector of the time, and of guidance, [B or 1, width], and what
// modulates the blocks, [B or 1, 6·width].
func (t *Transformer) embedTime(f nn.Pass, in Inputs) (embedded, modulation *Node) {
	dtype := in.Latents.DType()
	embedded = f.Record("time_embed.emb", t.time.Apply(f, nn.SineWaves(in.Time, waves, dtype)))
	if t.guidance != nil {
		scale := nn.SineWaves(MulScalar(in.Guidance, t.config.GuidanceScale), waves, dtype)
		f.Record("time_embed.guidance_condition_proj", scale)
		embedded = Add(embedded, t.guidance.Apply(f, scale))
	}
	modulation = t.shared.Apply(f, nn.SiLU(embedded))
	f.RecordAll("time_embed", modulation, embedded)
	return embedded, modulation
}

// embedText brings the text to the stream's width, [B, T, width].
func (t *Transformer) embedText(f nn.Pass, in Inputs) *Node {
	x := ConvertDType(in.Text, in.Latents.DType())
	return t.textNorm.Apply(f, t.text.Apply(f, x))
}

// block is attention to the latents, attention to the text, and a convolution over
// neighbours.
type block struct {
	name      string
	config    TransformerConfig
	modulator modulator
	self      *nn.MultiHead
	cross     *nn.MultiHead
	feed      *nn.GatedConv
}

func newBlock(c weights.Cursor, cfg TransformerConfig) *block {
	width, normed := cfg.Width(), cfg.QKNorm != nil
	return &block{
		name:      c.Path(),
		config:    cfg,
		modulator: newModulator(c, 6, width),
		self:      newAttention(c.In("attn1"), width, cfg.Heads, cfg.HeadWidth, cfg.AttentionBias, normed),
		cross:     newAttention(c.In("attn2"), width, *cfg.CrossHeads, *cfg.CrossHeadWidth, nn.Bias, normed),
		feed:      nn.NewGatedConv(c.In("ff"), width, cfg.inner()),
	}
}

// apply keeps the shape of x [B, H·W, width].
func (b *block) apply(f nn.Pass, c condition, x *Node) *Node {
	x = f.Enter(x)
	v := b.modulator.vectors(c.time)
	attention := nn.Modulation{Shift: v[0], Scale: v[1], Gate: v[2]}
	feed := nn.Modulation{Shift: v[3], Scale: v[4], Gate: v[5]}

	h := f.Record(b.name+".norm1", nn.Normalize(x, b.config.Epsilon))
	h = attention.Apply(h)
	h = b.self.Output(f, nn.LinearAttention(b.self.Project(f, h, h)))
	x = Add(x, Mul(attention.Gate, h))
	x = Add(x, b.cross.Apply(f, x, c.text, c.mask))

	h = feed.Apply(nn.Normalize(x, b.config.Epsilon))
	dims := h.Shape().Dimensions
	h = b.feed.Apply(f, Reshape(h, dims[0], c.height, c.width, dims[2]))
	x = Add(x, Mul(feed.Gate, Reshape(h, dims...)))
	return f.Record(b.name, f.Leave(x))
}
