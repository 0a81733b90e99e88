package sanasprint

import (
	"cmp"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/sanabase"
)

// ErrOptions says that the options make no sense, or not for this checkpoint; the
// error names the field. It is generator.ErrOptions.
var ErrOptions = pipeline.ErrOptions

// DefaultInstruction is put before prompts unless another is given: Gemma, which
// was trained to follow instructions, then reads more into short prompts. The words
// are those of diffusers' pipeline.
const DefaultInstruction = sanabase.Instruction

// Options of Open. The zero value suits the checkpoint.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 32. 0 = the size
	// that the model was trained on.
	Height, Width int
	// Steps from noise to picture, at most 1000. The model was trained for 1 to 4.
	// 0 = 2.
	Steps int
	// Guidance is how much the prompt should count, 0 to 1000. The model was trained
	// to do in one prediction what others do in two, so it costs nothing. nil = 4.5.
	Guidance *float64
	// Instruction comes before the prompt. nil = DefaultInstruction, new("") = none.
	Instruction *string
	// TextTokens is the length that prompts are cut or padded to. 0 = 300, as in
	// the pipeline.
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
	o.Height, o.Width = cmp.Or(o.Height, c.Size()), cmp.Or(o.Width, c.Size())
	o.Steps = cmp.Or(o.Steps, 2)
	o.Guidance = cmp.Or(o.Guidance, new(4.5))
	o.Instruction = cmp.Or(o.Instruction, new(DefaultInstruction))
	o.TextTokens = cmp.Or(o.TextTokens, 300)
	return o, pipeline.Options{
		Height: o.Height, Width: o.Width, Steps: o.Steps, Guidance: o.Guidance, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint,
	}.Check(c.Autoencoder.Factor(), min(c.Scheduler.TrainTimesteps, 1000))
}
