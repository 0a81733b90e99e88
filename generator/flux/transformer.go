package flux

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// normEpsilon of all normalisations.
const normEpsilon = 1e-6

// Transformer predicts the velocity ε - x₀ of a rectified flow: joint attention
// over the tokens of the text and those of the latents, first with weights of
// their own, then with shared ones; modulated by the time, the pooled text and
// (in guidance-distilled models) the guidance.
//
// Layers have the names of diffusers' FluxTransformer2DModel.
type Transformer struct {
	config   TransformerConfig
	imageIn  *nn.Linear
	textIn   *nn.Linear
	time     *embedder
	guidance *embedder // nil in models without
	pooled   *embedder
	doubles  []*doubleBlock
	singles  []*singleBlock
	normOut  *modulation
	out      *nn.Linear
}

// inputs of one pass of the transformer.
type inputs struct {
	latents  *Node // [B, L, in]
	text     *Node // [B, T, text]
	pooled   *Node // [B, pooled]
	time     *Node // [B] or [1], 0 to 1000
	guidance *Node // the same, 1000 times the guidance; nil in models without
	rotary   nn.Rotary
}

// pass is what all blocks of one pass share.
type pass struct {
	delta      *lora.Delta
	cond       *Node // SiLU of the conditioning vector, [B, width]
	cos, sin   *Node
	checkpoint bool // recompute activations in the backward pass
}

// NewTransformer reads the transformer's parameters at the root of a checkpoint.
func NewTransformer(c weights.Cursor, cfg TransformerConfig) *Transformer {
	width, cond := cfg.Width(), c.In("time_text_embed")
	t := &Transformer{
		config:  cfg,
		imageIn: nn.NewLinear(c.In("x_embedder"), cfg.InChannels, width),
		textIn:  nn.NewLinear(c.In("context_embedder"), cfg.TextWidth, width),
		time:    newEmbedder(cond.In("timestep_embedder"), waves, width),
		pooled:  newEmbedder(cond.In("text_embedder"), cfg.PooledWidth, width),
		normOut: newModulation(c.In("norm_out"), width, 2),
		out:     nn.NewLinear(c.In("proj_out"), width, cfg.InChannels),
	}
	if cfg.Guidance {
		t.guidance = newEmbedder(cond.In("guidance_embedder"), waves, width)
	}
	for i := range cfg.Layers {
		t.doubles = append(t.doubles, newDoubleBlock(c.In("transformer_blocks", i), cfg))
	}
	for i := range cfg.SingleLayers {
		t.singles = append(t.singles, newSingleBlock(c.In("single_transformer_blocks", i), cfg))
	}
	return t
}

// apply returns the velocity, [B, L, in] in the dtype of the latents.
func (t *Transformer) apply(p *nn.Probe, d *lora.Delta, in inputs, checkpoint bool) *Node {
	image := p.See("x_embedder", t.imageIn.Apply(d, in.latents))
	text := p.See("context_embedder", t.textIn.Apply(d, ConvertDType(in.text, image.DType())))
	f := pass{delta: d, cond: nn.SiLU(t.condition(p, d, in)), checkpoint: checkpoint}
	f.cos, f.sin = in.rotary.Nodes(image.Graph())
	for i, b := range t.doubles {
		text, image = b.apply(p.In("transformer_blocks", i), f, text, image)
	}
	words := text.Shape().Dim(1)
	x := Concatenate([]*Node{text, image}, 1)
	for i, b := range t.singles {
		x = b.apply(p.In("single_transformer_blocks", i), f, x, words)
	}
	image = Slice(x, AxisRange(), AxisRange(words))
	m := t.normOut.parts(f)
	image = p.See("norm_out", modulate(image, m[1], m[0])) // the scale first, here alone
	return p.See("proj_out", t.out.Apply(d, image))
}

// condition returns the vector that modulates all blocks, [B, width].
func (t *Transformer) condition(p *nn.Probe, d *lora.Delta, in inputs) *Node {
	p = p.In("time_text_embed")
	dtype := in.latents.DType()
	sum := p.See("timestep_embedder", t.time.apply(d, p.See("time_proj", sineWaves(in.time, dtype))))
	if t.guidance != nil {
		sum = Add(sum, p.See("guidance_embedder", t.guidance.apply(d, p.See("time_proj", sineWaves(in.guidance, dtype)))))
	}
	sum = Add(sum, p.See("text_embedder", t.pooled.apply(d, ConvertDType(in.pooled, dtype))))
	return p.See("", sum)
}

// doubleBlock attends jointly over both streams, each with weights of its own.
type doubleBlock struct {
	image, text         *stream
	normImage, normText *modulation
	heads               int
}

// stream is what a doubleBlock does with the tokens of one kind.
type stream struct {
	q, k, v, out *nn.Linear
	normQ, normK *nn.RMSNorm
	feed         *feedForward
}

func newDoubleBlock(c weights.Cursor, cfg TransformerConfig) *doubleBlock {
	width, attn := cfg.Width(), c.In("attn")
	newStream := func(q, k, v, out, normQ, normK, ff string) *stream {
		return &stream{
			q: nn.NewLinear(attn.In(q), width, width), k: nn.NewLinear(attn.In(k), width, width),
			v: nn.NewLinear(attn.In(v), width, width), out: nn.NewLinear(attn.In(out), width, width),
			normQ: nn.NewRMSNorm(attn.In(normQ), cfg.HeadWidth, normEpsilon),
			normK: nn.NewRMSNorm(attn.In(normK), cfg.HeadWidth, normEpsilon),
			feed:  newFeedForward(c.In(ff), width),
		}
	}
	return &doubleBlock{
		heads:     cfg.Heads,
		image:     newStream("to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k", "ff"),
		text:      newStream("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "norm_added_q", "norm_added_k", "ff_context"),
		normImage: newModulation(c.In("norm1"), width, 6),
		normText:  newModulation(c.In("norm1_context"), width, 6),
	}
}

// apply maps text [B, T, width] and image [B, L, width].
func (b *doubleBlock) apply(p *nn.Probe, f pass, text, image *Node) (*Node, *Node) {
	if f.checkpoint {
		text, image = text.Checkpoint(), image.Checkpoint()
	}
	mi, mt := b.normImage.parts(f), b.normText.parts(f)
	hi, ht := modulate(image, mi[0], mi[1]), modulate(text, mt[0], mt[1])
	seeNorm(p.In("norm1"), hi, mi[2:])
	seeNorm(p.In("norm1_context"), ht, mt[2:])

	attended := b.attend(p.In("attn"), f, ht, hi)
	words := text.Shape().Dim(1)
	hi = p.In("attn").See(0, b.image.out.Apply(f.delta, Slice(attended, AxisRange(), AxisRange(words))))
	ht = p.In("attn").See(1, b.text.out.Apply(f.delta, Slice(attended, AxisRange(), AxisRange(0, words))))

	image, text = Add(image, Mul(hi, mi[2])), Add(text, Mul(ht, mt[2]))
	hi = p.See("ff", b.image.feed.apply(f.delta, modulate(image, mi[3], mi[4])))
	ht = p.See("ff_context", b.text.feed.apply(f.delta, modulate(text, mt[3], mt[4])))
	image, text = Add(image, Mul(hi, mi[5])), Add(text, Mul(ht, mt[5]))
	if f.checkpoint {
		text, image = text.StopCheckpoint(), image.StopCheckpoint()
	}
	return p.See(0, text), p.See(1, image)
}

// attend returns [B, T+L, width], the text first.
func (b *doubleBlock) attend(p *nn.Probe, f pass, text, image *Node) *Node {
	qi, ki, vi := b.image.project(f, image, b.heads)
	qt, kt, vt := b.text.project(f, text, b.heads)
	p.See("norm_q", qi)
	p.See("norm_k", ki)
	p.See("norm_added_q", qt)
	p.See("norm_added_k", kt)
	join := func(text, image *Node) *Node { return Concatenate([]*Node{text, image}, 1) }
	return f.attention(join(qt, qi), join(kt, ki), join(vt, vi))
}

// project returns queries, keys and values [B, S, N, D].
func (s *stream) project(f pass, x *Node, heads int) (q, k, v *Node) {
	q = s.normQ.Apply(nn.SplitHeads(s.q.Apply(f.delta, x), heads))
	k = s.normK.Apply(nn.SplitHeads(s.k.Apply(f.delta, x), heads))
	return q, k, nn.SplitHeads(s.v.Apply(f.delta, x), heads)
}

// attention turns queries and keys by their positions, and attends.
func (f pass) attention(q, k, v *Node) *Node {
	return nn.Attention(nn.Rotate(q, f.cos, f.sin), nn.Rotate(k, f.cos, f.sin), v, nil)
}

// singleBlock attends over text and picture alike, beside a feed-forward layer.
type singleBlock struct {
	norm         *modulation
	q, k, v      *nn.Linear
	normQ, normK *nn.RMSNorm
	mlp, out     *nn.Linear
	heads        int
}

func newSingleBlock(c weights.Cursor, cfg TransformerConfig) *singleBlock {
	width, attn := cfg.Width(), c.In("attn")
	return &singleBlock{
		heads: cfg.Heads,
		norm:  newModulation(c.In("norm"), width, 3),
		q:     nn.NewLinear(attn.In("to_q"), width, width),
		k:     nn.NewLinear(attn.In("to_k"), width, width),
		v:     nn.NewLinear(attn.In("to_v"), width, width),
		normQ: nn.NewRMSNorm(attn.In("norm_q"), cfg.HeadWidth, normEpsilon),
		normK: nn.NewRMSNorm(attn.In("norm_k"), cfg.HeadWidth, normEpsilon),
		mlp:   nn.NewLinear(c.In("proj_mlp"), width, mlpRatio*width),
		out:   nn.NewLinear(c.In("proj_out"), width+mlpRatio*width, width),
	}
}

// apply maps x [B, T+L, width], of which the first words tokens are the text.
func (b *singleBlock) apply(p *nn.Probe, f pass, x *Node, words int) *Node {
	if f.checkpoint {
		x = x.Checkpoint()
	}
	m := b.norm.parts(f)
	h := modulate(x, m[0], m[1])
	seeNorm(p.In("norm"), h, m[2:])
	s := stream{q: b.q, k: b.k, v: b.v, normQ: b.normQ, normK: b.normK}
	q, k, v := s.project(f, h, b.heads)
	attended := p.See("attn", f.attention(q, k, v))
	h = Concatenate([]*Node{attended, nn.GELUTanh(b.mlp.Apply(f.delta, h))}, -1)
	x = Add(x, Mul(b.out.Apply(f.delta, h), m[2]))
	if f.checkpoint {
		x = x.StopCheckpoint()
	}
	if p != nil {
		p.See(0, Slice(x, AxisRange(), AxisRange(0, words)))
		p.See(1, Slice(x, AxisRange(), AxisRange(words)))
	}
	return x
}
