package sana

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

const (
	waves       = 256   // cosines and sines of a time
	textEpsilon = 1e-5  // of the norm of the text
	outEpsilon  = 1e-6  // of the last norm
	paddingBias = -10e3 // is added to the scores of padding
)

// transformer predicts the velocity ε - x₀ of a rectified flow. Latents attend to
// each other by linear attention and by convolutions, and to the text by attention;
// the time modulates them. There are no positions: the convolutions' zeros at the
// border tell the places.
//
// Layers have the names of diffusers' SanaTransformer2DModel.
type transformer struct {
	config   transformerConfig
	in       *nn.Conv2D
	time     *nn.MLP
	shared   *nn.Linear // makes of the time what modulates all blocks
	text     *nn.MLP
	textNorm *nn.RMSNorm
	blocks   []*block
	normOut  modulator
	out      *nn.Linear
}

// inputs of one pass of the transformer.
type inputs struct {
	latents *Node // [B, H, W, in]
	text    *Node // [B, T, text]
	mask    *Node // [B, T], float32: 1 for words, 0 for padding
	time    *Node // [B] or [1], float32: 0 to 1000
}

// condition is what all blocks are conditioned on.
type condition struct {
	text, mask    *Node // [B, T, width]; [B, 1, 1, T], added to the scores
	time          *Node // [B or 1, 6, width]
	height, width int   // of the latents
}

// newTransformer reads the transformer's parameters at the root of a checkpoint.
func newTransformer(c weights.Cursor, cfg transformerConfig) *transformer {
	width, time := cfg.width(), c.In("time_embed")
	t := &transformer{
		config:   cfg,
		in:       nn.NewConv2D(c.In("patch_embed", "proj"), cfg.InChannels, width, nn.Kernel{Size: 1}, nn.Bias),
		time:     newEmbedder(time.In("emb", "timestep_embedder"), waves, width, nn.SiLU),
		shared:   nn.NewLinear(time.In("linear"), width, 6*width, nn.Bias),
		text:     newEmbedder(c.In("caption_projection"), cfg.TextWidth, width, nn.GELUTanh),
		textNorm: nn.NewRMSNorm(c.In("caption_norm"), width, textEpsilon, nn.NoBias),
		normOut:  newModulator(c, 2, width),
		out:      nn.NewLinear(c.In("proj_out"), width, cfg.InChannels, nn.Bias),
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newBlock(c.In("transformer_blocks", i), cfg))
	}
	return t
}

// apply returns the velocity, [B, H, W, in] in the dtype of the latents.
func (t *transformer) apply(f nn.Pass, in inputs) *Node {
	dims, width := in.latents.Shape().Dimensions, t.config.width()
	x := Reshape(t.in.Apply(f, in.latents), dims[0], dims[1]*dims[2], width)
	f.Record("patch_embed", x)
	embedded, time := t.embedTime(f, in)
	c := condition{
		text: t.embedText(f, in), mask: InsertAxes(MulScalar(OneMinus(in.mask), paddingBias), 1, 1),
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

// embedTime returns a vector of the time, [B or 1, width], and what modulates the
// blocks, [B or 1, 6·width].
func (t *transformer) embedTime(f nn.Pass, in inputs) (embedded, modulation *Node) {
	time := MulScalar(in.time, t.config.TimeScale)
	embedded = f.Record("time_embed.emb", t.time.Apply(f, nn.SineWaves(time, waves, in.latents.DType())))
	modulation = t.shared.Apply(f, nn.SiLU(embedded))
	f.RecordAll("time_embed", modulation, embedded)
	return embedded, modulation
}

// embedText brings the text to the stream's width, [B, T, width].
func (t *transformer) embedText(f nn.Pass, in inputs) *Node {
	x := ConvertDType(in.text, in.latents.DType())
	return t.textNorm.Apply(f, t.text.Apply(f, x))
}

// block is attention to the latents, attention to the text, and a convolution over
// neighbours.
type block struct {
	name      string
	config    transformerConfig
	modulator modulator
	self      *nn.MultiHead
	cross     *nn.MultiHead
	feed      *nn.GatedConv
}

func newBlock(c weights.Cursor, cfg transformerConfig) *block {
	width := cfg.width()
	return &block{
		name:      c.Path(),
		config:    cfg,
		modulator: newModulator(c, 6, width),
		self:      newAttention(c.In("attn1"), width, cfg.Heads, cfg.HeadWidth, cfg.AttentionBias),
		cross:     newAttention(c.In("attn2"), width, *cfg.CrossHeads, *cfg.CrossHeadWidth, nn.Bias),
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
