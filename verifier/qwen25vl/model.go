// Package qwen25vl is the vision-language model Qwen2.5-VL (Alibaba, 2025), of 3, 7,
// 32 or 72 billion parameters, as a verifier.
//
// # The folder
//
// It is that of Qwen/Qwen2.5-VL-7B-Instruct or one like it, as versions 4 and 5 of
// transformers write them: config.json, preprocessor_config.json or
// processor_config.json, the tokenizer, and safetensors in float32, float16 or
// bfloat16, in one file or several. A setting that this package does not have is an
// error that names the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// A picture keeps its shape as nearly as sides of multiples of 28 pixels allow, and
// its size unless its area is out of the bounds that the folder gives; one side may
// be 200 times the other. Every square of 28 pixels becomes a token, which has a row
// and a column besides its place in the text.
package qwen25vl

import (
	"context"
	"io/fs"

	"github.com/gomlx/compute/dtypes"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/qwen"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

//go:generate go run ../../internal/vlm/face "Qwen2.5-VL"

// name of the package, in errors.
const name = "qwen25vl"

// Options of Open. The zero value is the model as its makers use it.
type Options struct {
	// Paper follows the reference code of the paper, Dual-Process Image Generation, in
	// place of the model's own processor: each picture's range of values is stretched to
	// [0, 1], and each side is brought to the nearest multiple of 28 pixels, whatever
	// the area, by bilinear sampling without antialiasing. The prompt is the same.
	Paper bool

	// Checkpoint says whether activations are computed again in the backward pass
	// instead of being kept: less memory for more time. The zero value decides by the
	// memory that is free.
	Checkpoint backends.Checkpointing

	// Int8 rounds the weights of the linear layers within the network's blocks to 8 bits as
	// they are read, with a scale for each of their outputs: half the memory of bfloat16.
	// What is before and behind the blocks, embeddings, norms, modulation,
	// convolutions stay as they are. The gradient flows through; adapters
	// keep their float32.
	Int8 bool

	// Ignore names fields of the folder's JSON files that are passed over, at any depth,
	// as if the files did not have them. A field that the library does not know is an
	// error otherwise, unless it is null, a stamp or a default.
	Ignore []string

	// Variant chooses files of weights by the name that transformers' variant gives
	// them, such as "fp16" for model.fp16.safetensors. "" = the plain files, or where
	// there are none the only variant.
	Variant string
}

func (o Options) frame() vlm.Options {
	return vlm.Options{Paper: o.Paper, Checkpoint: o.Checkpoint, Ignore: o.Ignore, Variant: o.Variant, Int8: o.Int8}
}

// network is what Qwen2.5-VL has of its own.
type network struct {
	config modelConfig
	dtype  dtypes.DType // that is computed in
	paper  bool
	vision *visionTower
}

var _ vlm.Model = (*network)(nil)

// open reads the folder of a checkpoint.
func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper}
	tokens := func(t *tokenizer.Tokenizer) ([]int, error) { return qwen.FindTokens(t, c.ImageToken) }
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: tokens, Load: m.load, Surplus: c.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters, under the names of transformers 4.50 or of later
// versions.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(c.Layout("patch_embed.proj.weight", "visual", "model.visual"), m.config.Vision)
	text := c.Layout("embed_tokens.weight", "model", "model.language_model")
	return decoder.NewWithHead(text, c.In("lm_head"), m.config.Text)
}

// surplus accepts a head that is stored though it is the table of embeddings.
func (c modelConfig) surplus(name string) bool { return c.Text.TiedHead && name == "lm_head.weight" }
