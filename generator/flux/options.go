package flux

import (
	"cmp"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// ErrOptions says that the options make no sense, or not for this checkpoint; the
// error names the field. It is generator.ErrOptions.
var ErrOptions = pipeline.ErrOptions

// Options of Open. The zero value suits the checkpoint.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 16. 0 = 512.
	Height, Width int
	// Steps from noise to picture, at most 1000. 0 = 28, or 1 for schnell.
	Steps int
	// Guidance that dev is conditioned on, 0 to 1000; nil = 3.5. Schnell has none.
	Guidance *float64
	// TextTokens is the length that T5's prompts are cut or padded to. 0 = 512,
	// as in the pipeline.
	TextTokens int
	// StaticShift shifts the noise levels of dev by the scheduler's fixed shift
	// and not by the size of the picture, as the paper's reference does in
	// training.
	StaticShift bool
	// Checkpoint says whether the activations of every block are recomputed in the
	// backward pass.
	Checkpoint backends.Checkpointing
	// Int8 rounds the weights of the linear layers within the network's blocks to 8 bits as
	// they are read, with a scale for each of their outputs: half the memory of bfloat16.
	// What is before and behind the blocks, embeddings, norms, modulation,
	// convolutions and the autoencoder stay as they are. The gradient flows through; adapters
	// keep their float32.
	Int8 bool

	// Ignore names fields of the folder's JSON files that are passed over, at any depth,
	// as if the files did not have them. A field that the library does not know is an
	// error otherwise, unless it is null, a stamp or a default.
	Ignore []string
	// Variant chooses files of weights by the name that diffusers' variant gives them,
	// such as "fp16" for *.fp16.safetensors. Parts without any are read without. "" =
	// the plain files, or where there are none the only variant.
	Variant string
}

func (o Options) reading() hf.Reading {
	return hf.Reading{Ignore: o.Ignore, Variant: o.Variant, Int8: o.Int8}
}

// resolved fills in the defaults and checks what was given.
func (o Options) resolved(c config) (Options, error) {
	o.Height, o.Width = cmp.Or(o.Height, 512), cmp.Or(o.Width, 512)
	o.TextTokens = cmp.Or(o.TextTokens, 512)
	switch {
	case c.Transformer.Guidance:
		o.Steps = cmp.Or(o.Steps, 28)
		o.Guidance = cmp.Or(o.Guidance, new(3.5))
	case o.Guidance != nil:
		return o, fmt.Errorf("%w: Guidance is given, but the checkpoint takes none", ErrOptions)
	default:
		o.Steps = cmp.Or(o.Steps, 1)
	}
	return o, pipeline.Options{
		Height: o.Height, Width: o.Width, Steps: o.Steps, Guidance: o.Guidance, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint,
	}.Check(2*c.Autoencoder.Factor(), 1000)
}
