package zimage

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

// Options of Open. The zero value suits Z-Image-Turbo; the folder does not say whether
// it is that or Z-Image itself, which wants 28 to 50 Steps and a Guidance of 3 to 5.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 16. 0 = 1024, as in the
	// pipeline.
	Height, Width int
	// Steps from noise to picture, at most 1000. 0 = 8.
	Steps int
	// Guidance exaggerates the difference that the prompt makes, 0 to 1000, for twice
	// the work. nil = 0, no guidance. 4 is what other models call 5.
	Guidance *float64
	// NegativePrompt says what guidance leads away from. "" = what the model draws
	// without a prompt.
	NegativePrompt string
	// Normalization keeps the prediction under guidance from being longer than so many
	// times that for the prompt alone, at most 1000; the pipeline's cfg_normalization.
	// 0 = it may be as long as it is.
	Normalization float64
	// Truncation ends guidance at noise levels below 1 - Truncation, 0 to 1; the
	// pipeline's cfg_truncation. nil = 1, guidance to the end.
	Truncation *float64
	// TextTokens is the length that prompts are cut to, chat template included. 0 = 512,
	// as in the pipeline. Fewer tokens take less time and memory, and change nothing for
	// a prompt that fits.
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
	o.Height, o.Width = cmp.Or(o.Height, 1024), cmp.Or(o.Width, 1024)
	o.Steps = cmp.Or(o.Steps, 8)
	o.Guidance = cmp.Or(o.Guidance, new(0.0))
	o.Truncation = cmp.Or(o.Truncation, new(1.0))
	o.TextTokens = cmp.Or(o.TextTokens, 512)
	pixels, longest := patch*c.Autoencoder.Factor(), c.Transformer.Longest
	if err := (pipeline.Options{
		Height: o.Height, Width: o.Width, Steps: o.Steps, Guidance: o.Guidance, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint,
	}).Check(pixels, 1000); err != nil {
		return o, err
	}
	switch {
	case o.Height/pixels > longest[1] || o.Width/pixels > longest[2]:
		return o, fmt.Errorf("%w: Height %d and Width %d are more than the model has positions for, %d and %d",
			ErrOptions, o.Height, o.Width, longest[1]*pixels, longest[2]*pixels)
	case rounded(o.TextTokens)+1 >= longest[0]:
		return o, fmt.Errorf("%w: TextTokens is %d, and the model has positions for fewer than %d", ErrOptions, o.TextTokens, longest[0])
	case !(o.Normalization >= 0 && o.Normalization <= 1000):
		return o, fmt.Errorf("%w: Normalization is %v, want 0 to 1000", ErrOptions, o.Normalization)
	case !(*o.Truncation >= 0 && *o.Truncation <= 1):
		return o, fmt.Errorf("%w: Truncation is %v, want 0 to 1", ErrOptions, *o.Truncation)
	}
	return o, nil
}
