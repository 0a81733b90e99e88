// Package smolvlm2 is the vision-language models SmolVLM and SmolVLM2 (Hugging Face,
// 2024 and 2025), of 256 million to 2.2 billion parameters, and Idefics3, of 8 billion,
// as verifiers. The smallest work on a laptop.
//
// # The folder
//
// It is that of HuggingFaceTB/SmolVLM2-256M-Video-Instruct,
// HuggingFaceM4/Idefics3-8B-Llama3 or one like them, as versions 4 and 5 of
// transformers write them: config.json, preprocessor_config.json or
// processor_config.json, the tokenizer, and safetensors in float32, float16 or
// bfloat16, in one file or several. A setting that this package does not have is an
// error that names the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// A picture is brought to a longer edge of 2048 pixels, be it smaller or larger, and
// then to a square of 512, whatever its shape, of which a SigLIP tower and a connector
// make 64 tokens of the prompt (in the published checkpoints of 256M and 500M; 1536, 384
// and 81 in those of 2.2B). Options.Split looks at it in squares of 512 besides, up to
// 16 of them, whatever do_image_splitting says in the folder: it is set in the published
// ones. Both resizes are one in the graph. The filter is Lanczos, as in Pillow and in
// torchvision from 0.27 on; before that, the fast processors of transformers took a
// bicubic one in its place.
//
// The paper's reference has no processing for these models, and so Open has no mode
// Paper.
package smolvlm2

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

//go:generate go run ../../internal/vlm/face "SmolVLM2 or Idefics3"

// name of the package, in errors.
const name = "smolvlm2"

// Options of Open. The zero value looks at a picture as a whole.
type Options struct {
	// Split looks at a picture in tiles, row by row, besides the whole, as the model's own
	// processor does where do_image_splitting is set: what is small in it is seen better,
	// for up to 17 times the image tokens.
	Split bool

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
	return vlm.Options{Split: o.Split, Checkpoint: o.Checkpoint, Ignore: o.Ignore, Variant: o.Variant, Int8: o.Int8}
}

// network is what the models have of their own.
type network struct {
	config modelConfig
	dtype  dtypes.DType // that is computed in
	split  bool
	tokens promptTokens
	vision *visionModel
}

var _ vlm.Model = (*network)(nil)

// open reads the folder of a checkpoint.
func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, split: o.Split}
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: m.findTokens, Load: m.load, Surplus: c.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters at the root of a checkpoint.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(c.In("model"), m.config)
	return decoder.NewWithHead(c.In("model", "text_model"), c.In("lm_head"), m.config.Text)
}

// surplus accepts what checkpoints may carry besides: a head that is tied, and tables
// that are computed.
func (c modelConfig) surplus(name string) bool {
	return c.Text.TiedHead && name == "lm_head.weight" ||
		name == "model.vision_model.embeddings.position_ids" || strings.HasSuffix(name, ".rotary_emb.inv_freq")
}
