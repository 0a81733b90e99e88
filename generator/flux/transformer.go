package flux

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// transformer predicts the velocity ε - x₀ of a rectified flow: joint attention
// over the tokens of the text and those of the latents, first with weights of
// their own, then with shared ones; modulated by the time, the pooled text and
// (in guidance-distilled models) the guidance.
//
// Layers have the names of diffusers' FluxTransformer2DModel.
type transformer struct {
	imageIn *nn.Linear
	textIn  *nn.Linear
	embed   *conditioner
	doubles []*doubleBlock
	singles []*singleBlock
	normOut *modulator
	out     *nn.Linear
}

// inputs of one pass of the transformer.
type inputs struct {
	latents  *Node // [B, L, in]
	text     *Node // [B, T, text]
	pooled   *Node // [B, pooled]
	time     *Node // [B] or [1], 0 to 1000
	guidance *Node // the same, 1000 times the guidance; nil in models without
	rotary   nn.RotaryTable
}

// condition is what all blocks are conditioned on.
type condition struct {
	vector *Node // SiLU of the conditioning vector, [B, width]
	rotary nn.Rotary
}

// newTransformer reads the transformer's parameters at the root of a checkpoint.
func newTransformer(c weights.Cursor, cfg transformerConfig) *transformer {
	width := cfg.width()
	t := &transformer{
		imageIn: nn.NewLinear(c.In("x_embedder"), cfg.InChannels, width, nn.Bias),
		textIn:  nn.NewLinear(c.In("context_embedder"), cfg.TextWidth, width, nn.Bias),
		embed:   newConditioner(c.In("time_text_embed"), cfg),
		normOut: newModulator(c.In("norm_out"), width, 2),
		out:     nn.NewLinear(c.In("proj_out"), width, cfg.InChannels, nn.Bias),
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
func (t *transformer) apply(f nn.Pass, in inputs) *Node {
	image := t.imageIn.Apply(f, in.latents)
	text := t.textIn.Apply(f, ConvertDType(in.text, image.DType()))
	c := condition{vector: nn.SiLU(t.embed.apply(f, in)), rotary: in.rotary.In(image.Graph())}
	for _, b := range t.doubles {
		text, image = b.apply(f, c, text, image)
	}
	words := text.Shape().Dim(1)
	x := Concatenate([]*Node{text, image}, 1)
	for _, b := range t.singles {
		x = b.apply(f, c, x)
	}
	image = Slice(x, AxisRange(), AxisRange(words))
	v := t.normOut.vectors(f, c)
	m := nn.Modulation{Scale: v[0], Shift: v[1]} // the scale first, here alone
	return t.out.Apply(f, f.Record(t.normOut.name, m.Apply(normalize(image))))
}

// conditioner makes the vector that modulates all blocks.
type conditioner struct {
	name     string
	time     *nn.MLP
	guidance *nn.MLP // nil in models without
	pooled   *nn.MLP
}

func newConditioner(c weights.Cursor, cfg transformerConfig) *conditioner {
	e := &conditioner{
		name:   c.Path(),
		time:   newEmbedder(c.In("timestep_embedder"), waves, cfg.width()),
		pooled: newEmbedder(c.In("text_embedder"), cfg.PooledWidth, cfg.width()),
	}
	if cfg.Guidance {
		e.guidance = newEmbedder(c.In("guidance_embedder"), waves, cfg.width())
	}
	return e
}

// apply returns the conditioning vector, [B, width].
func (e *conditioner) apply(f nn.Pass, in inputs) *Node {
	dtype := in.latents.DType()
	sines := func(time *Node) *Node { return f.Record(e.name+".time_proj", nn.SineWaves(time, waves, dtype)) }
	sum := e.time.Apply(f, sines(in.time))
	if e.guidance != nil {
		sum = Add(sum, e.guidance.Apply(f, sines(in.guidance)))
	}
	sum = Add(sum, e.pooled.Apply(f, ConvertDType(in.pooled, dtype)))
	return f.Record(e.name, sum)
}
