package flux2

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
	// Steps from noise to picture, at most 1000. 0 = 4, or 50 for the base models.
	Steps int
	// Guidance of a base model exaggerates the difference that the prompt makes, 0 to
	// 1000. At 1 and below there is no guidance, for half the work. nil = 4. The
	// distilled models have none.
	Guidance *float64
	// NegativePrompt says what the guidance of a base model leads away from. "" = what
	// the model draws without a prompt.
	NegativePrompt string
	// TextTokens is the length that prompts are cut or padded to, the chat template
	// included. 0 = 512, as in the pipeline. The padding is a part of what the model is
	// told, so another length makes another picture.
	TextTokens int
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
	case !c.Distilled:
		o.Steps = cmp.Or(o.Steps, 50)
		o.Guidance = cmp.Or(o.Guidance, new(4.0))
	case o.Guidance != nil:
		return o, fmt.Errorf("%w: Guidance is given, but the checkpoint is distilled to do without", ErrOptions)
	case o.NegativePrompt != "":
		return o, fmt.Errorf("%w: NegativePrompt is given, but the checkpoint is distilled to do without", ErrOptions)
	default:
		o.Steps = cmp.Or(o.Steps, 4)
	}
	return o, pipeline.Options{
		Height: o.Height, Width: o.Width, Steps: o.Steps, Guidance: o.Guidance, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint,
	}.Check(2*c.Autoencoder.Factor(), 1000)
}

// guidance is the scale of guidance, 0 where there is none.
func (o Options) guidance() float64 {
	if o.Guidance == nil {
		return 0
	}
	return *o.Guidance
}
