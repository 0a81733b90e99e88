package zimage

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

const (
	patch        = 2    // side of a token's square of latents
	waves        = 256  // cosines and sines of a time
	timeWidth    = 1024 // inside the layers that embed it, in models of any width
	finalEpsilon = 1e-6 // of the last norm
	maskedBias   = -1e9 // is added to the scores of what nothing attends to
)

// transformer predicts minus the velocity of a rectified flow. Picture and text each go
// through blocks of their own, and then as one sequence, the picture first, through
// blocks that treat them alike ("single stream").
//
// Layers have the names of diffusers' ZImageTransformer2DModel.
type transformer struct {
	config      transformerConfig
	time        *nn.MLP
	in          *nn.Linear
	textNorm    *nn.RMSNorm
	textIn      *nn.Linear
	fill        *model.Variable // [1, width], what fills up a picture
	textFill    *model.Variable // [1, width], what fills up a text
	image, text []*block        // of one of them alone
	blocks      []*block
	modulation  *nn.Linear // of the last norm
	out         *nn.Linear
}

// inputs of one pass of the transformer.
type inputs struct {
	latents *Node // [B, H, W, channels]
	text    *Node // [B, T, text]
	mask    *Node // [B, T], float32: 1 for the prompt, 0 for padding
	time    *Node // [1], float32: 0 to t_scale
}

// newTransformer reads the transformer's parameters at the root of a checkpoint.
func newTransformer(c weights.Cursor, cfg transformerConfig) *transformer {
	const kind = "2-1" // of patches, by their size in space and time
	numbers, final := patch*patch*cfg.InChannels, c.In("all_final_layer", kind)
	t := &transformer{
		config:     cfg,
		time:       nn.NewMLP(c.In("t_embedder"), "mlp.0", "mlp.2", waves, timeWidth, cfg.modulation(), nn.SiLU),
		in:         nn.NewLinear(c.In("all_x_embedder", kind), numbers, cfg.Width, nn.Bias),
		textNorm:   nn.NewRMSNorm(c.In("cap_embedder", 0), cfg.TextWidth, cfg.Epsilon, nn.NoBias),
		textIn:     nn.NewLinear(c.In("cap_embedder", 1), cfg.TextWidth, cfg.Width, nn.Bias),
		fill:       c.Variable("x_pad_token", 1, cfg.Width),
		textFill:   c.Variable("cap_pad_token", 1, cfg.Width),
		modulation: nn.NewLinear(final.In("adaLN_modulation", 1), cfg.modulation(), cfg.Width, nn.Bias),
		out:        nn.NewLinear(final.In("linear"), cfg.Width, numbers, nn.Bias),
	}
	for i := range cfg.Refiners {
		t.image = append(t.image, newBlock(c.In("noise_refiner", i), cfg, true))
		t.text = append(t.text, newBlock(c.In("context_refiner", i), cfg, false))
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newBlock(c.In("layers", i), cfg, true))
	}
	return t
}

// apply returns minus the velocity, [B, H, W, channels] in the dtype of the latents.
func (t *transformer) apply(f nn.Pass, in inputs) *Node {
	d, dtype := in.latents.Shape().Dimensions, in.latents.DType()
	rows, cols := d[1]/patch, d[2]/patch
	time := InsertAxes(f.Record("t_embedder", t.time.Apply(f, nn.SineWaves(in.time, waves, dtype))), 1)
	words := newWords(in.mask)

	image, imageSeq := t.embedImage(f, in.latents), sequence{rotary: t.config.imageRotary(words.multiples, words.tokens, rows, cols)}
	for _, b := range t.image {
		image = b.apply(f, imageSeq, time, image)
	}
	text, textSeq := t.embedText(f, in, words), sequence{t.config.textRotary(words.tokens).In(image.Graph()), words.bias()}
	for _, b := range t.text {
		text = b.apply(f, textSeq, time, text)
	}
	x, s := Concatenate([]*Node{image, text}, 1), imageSeq.before(textSeq, d[0])
	for _, b := range t.blocks {
		x = b.apply(f, s, time, x)
	}
	x = t.finish(f, x, time) // [B, S, 2·2·channels]
	x = Slice(x, AxisRange(), AxisRange(0, rows*cols))
	return nn.Unpatch(Reshape(x, d[0], rows, cols, -1), patch)
}

// embedImage cuts latents into tokens, filled up: [B, S, width].
func (t *transformer) embedImage(f nn.Pass, latents *Node) *Node {
	x := nn.Patches(latents, patch)
	d := x.Shape().Dimensions
	x = t.in.Apply(f, Reshape(x, d[0], d[1]*d[2], d[3]))
	if missing := rounded(d[1]*d[2]) - d[1]*d[2]; missing > 0 {
		x = Concatenate([]*Node{x, token(t.fill, x, missing)}, 1)
	}
	return x
}

// embedText brings the text to the stream's width and fills it up: [B, S, width].
func (t *transformer) embedText(f nn.Pass, in inputs, w words) *Node {
	x := ConvertDType(in.text, in.latents.DType())
	x = nn.PadZeros(x, 0, w.tokens-x.Shape().Dim(1), 1)
	x = f.Record("cap_embedder", t.textIn.Apply(f, t.textNorm.Apply(f, x)))
	given := BroadcastToDims(InsertAxes(w.given, -1), x.Shape().Dimensions...)
	return Where(given, x, token(t.textFill, x, w.tokens))
}

// token repeats a learned one for sequences like x: [B, count, width].
func token(v *model.Variable, x *Node, count int) *Node {
	d := x.Shape().Dimensions
	return BroadcastToDims(InsertAxes(ConvertDType(v.NodeValue(x), x.DType()), 0), d[0], count, d[2])
}

// finish maps the stream [B, S, width] to numbers of latents.
func (t *transformer) finish(f nn.Pass, x, time *Node) *Node {
	scale := OnePlus(t.modulation.Apply(f, nn.SiLU(time)))
	return f.Record("all_final_layer.2-1", t.out.Apply(f, Mul(nn.Normalize(x, finalEpsilon), scale)))
}

// words says which tokens of texts are there.
type words struct {
	tokens    int   // of the longest text, filled up
	multiples *Node // of 32 tokens in each text, filled up, float32 [B]
	given     *Node // bool [B, tokens]: the prompt's own
}

func newWords(mask *Node) words {
	w := words{tokens: rounded(mask.Shape().Dim(1))}
	w.multiples = Ceil(MulScalar(ReduceSum(mask, 1), 1./multiple))
	mask = nn.PadZeros(mask, 0, w.tokens-mask.Shape().Dim(1), 1)
	w.given = GreaterThan(mask, ZerosLike(mask))
	return w
}

// bias leaves out what is behind a text that is filled up, [B, 1, 1, tokens].
func (w words) bias() *Node {
	g, batch := w.multiples.Graph(), w.multiples.Shape().Dim(0)
	place := BroadcastToDims(InsertAxes(IotaFull(g, shapes.Make(dtypes.Float32, w.tokens)), 0), batch, w.tokens)
	end := BroadcastToDims(InsertAxes(MulScalar(w.multiples, multiple), -1), batch, w.tokens)
	behind := ConvertDType(GreaterOrEqual(place, end), dtypes.Float32)
	return Reshape(MulScalar(behind, maskedBias), batch, 1, 1, w.tokens)
}

// before joins a picture's sequence with the text's, for a batch.
func (s sequence) before(text sequence, batch int) sequence {
	join := func(image, text *Node) *Node {
		text = BroadcastToDims(text, batch, text.Shape().Dim(1), 1, text.Shape().Dim(3))
		return Concatenate([]*Node{image, text}, 1)
	}
	return sequence{
		rotary: nn.Rotary{Cos: join(s.rotary.Cos, text.rotary.Cos), Sin: join(s.rotary.Sin, text.rotary.Sin)},
		bias:   nn.PadZeros(text.bias, s.rotary.Cos.Shape().Dim(1), 0, 3),
	}
}
