package sd

import (
	"cmp"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// ErrOptions says that the options make no sense, or not for this checkpoint; the
// error names the field. It is generator.ErrOptions.
var ErrOptions = pipeline.ErrOptions

// Options of Open. The zero value suits the checkpoint.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 8. 0 = the size
	// that the model was trained on, 512.
	Height, Width int
	// Steps from noise to picture, fewer than those of the training. 0 = 50.
	Steps int
	// Guidance exaggerates the difference that the prompt makes, 0 to 1000. At 1
	// and below there is no guidance, for half the work. nil = 7.5.
	Guidance *float64
	// NegativePrompt says what guidance leads away from. "" = what the model draws
	// without a prompt.
	NegativePrompt string
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
	pixels := c.Autoencoder.Factor()
	size := c.UNet.sampleSize() * pixels
	o.Height, o.Width = cmp.Or(o.Height, size), cmp.Or(o.Width, size)
	o.Steps = cmp.Or(o.Steps, 50)
	o.Guidance = cmp.Or(o.Guidance, new(7.5))
	return o, pipeline.Options{
		Height: o.Height, Width: o.Width, Steps: o.Steps, Guidance: o.Guidance, Checkpoint: o.Checkpoint,
	}.Check(pixels, c.Scheduler.TrainTimesteps-1)
}
