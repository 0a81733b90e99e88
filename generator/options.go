package generator

import (
	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// ErrOptions says that a field of Options is out of its range, or one that the model
// does not have; the error names it. The models' own ErrOptions are this one.
var ErrOptions = pipeline.ErrOptions

// Options of Open: what several models have. The zero value suits the model; its
// defaults and ranges are in the documentation of its own Options. A field that is
// set and that the model does not have is an error.
type Options struct {
	// Height and Width of the pictures in pixels: multiples of 8, 16 or 32.
	Height, Width int
	// Steps from noise to picture.
	Steps int
	// Guidance exaggerates the difference that the prompt makes. nil = what suits
	// the model, which is not the same as 0.
	Guidance *float64
	// NegativePrompt says what guidance leads away from.
	NegativePrompt string
	// TextTokens is the length that prompts are cut or padded to. Fewer tokens take
	// less time and memory.
	TextTokens int
	// Checkpoint says whether activations are computed again in the backward pass
	// instead of being kept, for less memory and more time.
	Checkpoint backends.Checkpointing
	// Int8 rounds the weights of the linear layers within the network's blocks to 8 bits as
	// they are read, with a scale for each of their outputs: half the memory of bfloat16.
	// What is before and behind the blocks, embeddings, norms, modulation,
	// convolutions and the autoencoder stay as they are. The gradient flows through; adapters
	// keep their float32.
	Int8 bool

	// Ignore names fields of the folder's JSON files that are passed over, at any depth,
	// as if the files did not have them. A field that the library does not know is an
	// error otherwise, unless it is null, a stamp (such as transformers_version) or has
	// the value that the library assumes.
	Ignore []string
	// Variant chooses files of weights by the name that diffusers' variant gives them,
	// such as "fp16" for *.fp16.safetensors. Parts without any are read without. "" =
	// the plain files, or where there are none the only variant.
	Variant string
	// Hub says how a repository is downloaded, where the folder is none; what it says of
	// a variant is Variant's. The zero value reads the environment as Python does.
	Hub hub.Options
}
