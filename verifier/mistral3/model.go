// Package mistral3 is the vision-language models Ministral 3 (Mistral AI, 2025), of 3, 8
// and 14 billion parameters, and Mistral Small 3.1 and 3.2, of 24 billion, as verifiers.
//
// # The folder
//
// It is that of mistralai/Ministral-3-3B-Instruct-2512-BF16 or one like it, as versions
// 4 and 5 of transformers write them: config.json, processor_config.json (and
// preprocessor_config.json in version 4), the chat template, the tokenizer, and
// safetensors in float32, float16 or bfloat16, in one file or several. Weights in FP8,
// which the folders without BF16 in their names have, are refused by their
// quantization_config. A setting that this package does not have is an error that names
// the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// Pixtral's tower looks at a picture in its own shape, and in its own size unless its
// longer side has more than 1540 pixels, in the published checkpoints; sides are then
// brought up to whole squares of 28. Every square of 2 by 2 patches becomes a token of
// the prompt, and another token follows each row of them.
//
// # The prompt
//
// It begins with the system message that the folder's chat template has for
// conversations without one, which is long in the published checkpoints. Ministral's
// holds {today} and {yesterday} as they stand here, which nothing replaces; in Mistral
// Small's, too, {today} stands in place of the date, so that a prompt is the same every
// day. Without a template there is no system message.
//
// The paper's reference has no processing for these models, and so Open has no mode
// Paper.
package mistral3

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

//go:generate go run ../../internal/vlm/face "Ministral 3 or Mistral Small 3"

// name of the package, in errors.
const name = "mistral3"

// Options of Open. The zero value is the model as its makers use it.
type Options struct {
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
	return vlm.Options{Checkpoint: o.Checkpoint, Ignore: o.Ignore, Variant: o.Variant, Int8: o.Int8}
}

// network is what the models have of their own.
type network struct {
	config modelConfig
	dtype  dtypes.DType // that is computed in
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
	m := &network{config: c, dtype: rt.DType}
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: m.findTokens, Load: m.load, Surplus: surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters at the root of a checkpoint; versions of transformers
// have them under different names.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(
		c.Layout("ln_pre.weight", "vision_tower", "model.vision_tower"),
		c.Layout("linear_1.weight", "multi_modal_projector", "model.multi_modal_projector"), m.config)
	text, head := m.config.Text, c.Layout("weight", "language_model.lm_head", "lm_head")
	// A config.json that says nothing means a tied head, and Mistral Small's says nothing
	// and has a head of its own: as in version 5 of transformers, what is there counts.
	text.TiedHead = text.TiedHead && !head.Has("weight")
	return decoder.NewWithHead(c.Layout("embed_tokens.weight", "language_model.model", "model.language_model"), head, text)
}

// surplus accepts what checkpoints may carry besides: tables that are computed.
func surplus(name string) bool {
	return strings.HasSuffix(name, ".rotary_emb.inv_freq") || strings.HasSuffix(name, ".patch_positional_embedding.inv_freq")
}
