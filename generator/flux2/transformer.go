package flux2

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// axes are those of a token's position: time, row, column and word.
const axes = 4

// transformer predicts the velocity ε - x₀ of a rectified flow: joint attention over
// the tokens of the text and those of the latents, first with weights of their own,
// then with shared ones; modulated by the time, which is the same for all blocks of a
// kind. No layer has a bias.
//
// Layers have the names of diffusers' Flux2Transformer2DModel.
type transformer struct {
	config                                     transformerConfig
	imageIn, textIn                            *nn.Linear
	time                                       *nn.MLP
	modulateImage, modulateText, modulateJoint *modulator
	doubles                                    []*doubleBlock
	singles                                    []*singleBlock
	normOut, out                               *nn.Linear
}

// inputs of one pass of the transformer.
type inputs struct {
	latents *Node // [B, L, in]
	text    *Node // [B, T, text]
	time    *Node // [B] or [1], 0 to 1000
	rotary  nn.RotaryTable
}

// condition is what all blocks are conditioned on.
type condition struct {
	vector      *Node           // SiLU of the time's vector, [B or 1, width]
	image, text []nn.Modulation // of a double block's attention and feed-forward layer
	single      []nn.Modulation // of a single block, which has one branch
	rotary      nn.Rotary
}

// newTransformer reads the transformer's parameters at the root of a checkpoint.
func newTransformer(c weights.Cursor, cfg transformerConfig) *transformer {
	width := cfg.width()
	t := &transformer{
		config:        cfg,
		imageIn:       nn.NewLinear(c.In("x_embedder"), cfg.InChannels, width, nn.NoBias),
		textIn:        nn.NewLinear(c.In("context_embedder"), cfg.TextWidth, width, nn.NoBias),
		time:          newEmbedder(c.In(embedderName, "timestep_embedder"), cfg.Waves, width),
		modulateImage: newModulator(c.In("double_stream_modulation_img"), width, 2),
		modulateText:  newModulator(c.In("double_stream_modulation_txt"), width, 2),
		modulateJoint: newModulator(c.In("single_stream_modulation"), width, 1),
		normOut:       nn.NewLinear(c.In(lastNormName, "linear"), width, 2*width, nn.NoBias),
		out:           nn.NewLinear(c.In("proj_out"), width, cfg.InChannels, nn.NoBias),
	}
	for i := range cfg.Layers {
		t.doubles = append(t.doubles, newDoubleBlock(c.In("transformer_blocks", i), cfg))
	}
	for i := range cfg.SingleLayers {
		t.singles = append(t.singles, newSingleBlock(c.In("single_transformer_blocks", i), cfg))
	}
	return t
}

// Names of modules that are recorded.
const embedderName, lastNormName = "time_guidance_embed", "norm_out"

// apply returns the velocity, [B, L, in] in the dtype of the latents.
func (t *transformer) apply(f nn.Pass, in inputs) *Node {
	image := t.imageIn.Apply(f, in.latents)
	text := t.textIn.Apply(f, ConvertDType(in.text, image.DType()))
	c := t.condition(f, in)
	for _, b := range t.doubles {
		text, image = b.apply(f, c, text, image)
	}
	words := text.Shape().Dim(1)
	x := Concatenate([]*Node{text, image}, 1)
	for _, b := range t.singles {
		x = b.apply(f, c, x)
	}
	image = Slice(x, AxisRange(), AxisRange(words))
	v := Split(InsertAxes(t.normOut.Apply(f, c.vector), 1), -1, 2)
	m := nn.Modulation{Scale: v[0], Shift: v[1]} // the scale first, here alone
	return t.out.Apply(f, f.Record(lastNormName, m.Apply(nn.Normalize(image, t.config.Epsilon))))
}

// condition makes what all blocks share.
func (t *transformer) condition(f nn.Pass, in inputs) condition {
	waves := f.Record(embedderName+".time_proj", nn.SineWaves(in.time, t.config.Waves, in.latents.DType()))
	vector := nn.SiLU(f.Record(embedderName, t.time.Apply(f, waves)))
	return condition{
		vector: vector,
		image:  t.modulateImage.modulations(f, vector),
		text:   t.modulateText.modulations(f, vector),
		single: t.modulateJoint.modulations(f, vector),
		rotary: in.rotary.In(in.latents.Graph()),
	}
}
