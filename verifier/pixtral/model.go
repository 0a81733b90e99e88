// Package pixtral is the vision-language model Pixtral 12B (Mistral AI, 2024) as a
// verifier.
//
// # The folder
//
// It is that of mistral-community/pixtral-12b or one like it, as versions 4 and 5 of
// transformers write them: config.json, preprocessor_config.json or
// processor_config.json, the tokenizer, and safetensors in float32, float16 or
// bfloat16, in one file or several. A setting that this package does not have is an
// error that names the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// The tower looks at a picture in its own shape, and in its own size unless its
// longer side has more than 1024 pixels, in the published checkpoint; sides are then
// brought up to whole patches of 16. Every patch becomes a token of the prompt, and
// another token follows each row of them.
package pixtral

import (
	"context"
	"io/fs"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

//go:generate go run ../../internal/vlm/face "Pixtral 12B"

// name of the package, in errors.
const name = "pixtral"

// Options of Open. The zero value is the model as its makers use it.
type Options struct {
	// Paper follows the reference code of the paper, Dual-Process Image Generation, in
	// place of the model's own processor: each picture's range of values is stretched to
	// [0, 1], and its size is left as it is, unless the folder names one height and
	// width for all, to which it is then resized by bilinear sampling without
	// antialiasing. What is left over of a patch at the right and at the bottom is not
	// seen. The prompt is the same.
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

// network is what Pixtral has of its own.
type network struct {
	config modelConfig
	dtype  dtypes.DType // that is computed in
	paper  bool
	vision *visionModel

	rowEnd, pictureEnd int // tokens after the rows of a picture, after the last
}

var _ vlm.Model = (*network)(nil)

// open reads the folder of a checkpoint.
func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper}
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: m.findTokens, Load: m.load, Surplus: c.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters at the root of a checkpoint; versions of transformers
// have them under different names.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(
		c.Layout("ln_pre.weight", "vision_tower", "model.vision_tower"),
		c.Layout("linear_1.weight", "multi_modal_projector", "model.multi_modal_projector"), m.config)
	text := c.Layout("embed_tokens.weight", "language_model.model", "model.language_model")
	return decoder.NewWithHead(text, c.Layout("weight", "language_model.lm_head", "lm_head"), m.config.Text)
}

// surplus accepts what checkpoints may carry besides: a head that is tied, and
// tables that are computed.
func (c modelConfig) surplus(name string) bool {
	return c.Text.TiedHead && (name == "language_model.lm_head.weight" || name == "lm_head.weight") ||
		strings.HasSuffix(name, ".rotary_emb.inv_freq") || strings.HasSuffix(name, ".patch_positional_embedding.inv_freq")
}
