// Package idefics2 is the vision-language model Idefics2 (Hugging Face, 2024), of 8
// billion parameters, as a verifier.
//
// # The folder
//
// It is that of HuggingFaceM4/idefics2-8b or one like it, as versions 4 and 5 of
// transformers write them: config.json, preprocessor_config.json or
// processor_config.json, the tokenizer, and safetensors in float32, float16 or
// bfloat16, in one file or several. A setting that this package does not have is an
// error that names the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// A SigLIP tower looks at the picture in nearly its own size and shape: the longer
// edge is brought down to 980 pixels and the shorter one up to 378, in the published
// checkpoint. A resampler sums it up in 64 tokens, and a Mistral reads those and the
// question. The picture is looked at as a whole unless Options.Split asks for its
// quarters, too, whatever do_image_splitting says in the folder: it is set in the
// published one, and the paper's reference turns it off.
package idefics2

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

//go:generate go run ../../internal/vlm/face "Idefics2"

// name of the package, in errors.
const name = "idefics2"

// Options of Open. The zero value is the model as its makers use it.
type Options struct {
	// Paper follows the reference code of the paper, Dual-Process Image Generation, in
	// place of the model's own processor and chat template: each picture's range of
	// values is stretched to [0, 1], and its size is left as it is, unless the folder
	// names one height and width for all, to which it is then resized by bilinear
	// sampling without antialiasing. The prompt ends in the space that otherwise begins
	// the answer.
	Paper bool

	// Split looks at the quarters of a picture besides the whole, for five times the
	// image tokens, as the model's own processor does where do_image_splitting is set.
	// It does not go with Paper.
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

func (o Options) frame() vlm.Options { return vlm.Options(o) }

// network is what Idefics2 has of its own.
type network struct {
	config modelConfig
	dtype  dtypes.DType // that is computed in
	paper  bool
	split  bool
	border int // the token on both sides of a picture
	vision *visionModel
}

var _ vlm.Model = (*network)(nil)

// open reads the folder of a checkpoint.
func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper, split: o.Split}
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: m.findTokens, Load: m.load, Surplus: c.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters at the root of a checkpoint.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(c.In("model"), m.config)
	return decoder.NewWithHead(c.In("model", "text_model"), c.In("lm_head"), m.config.Text)
}

// surplus accepts what checkpoints may carry besides: a head that is tied, and
// tables that are computed.
func (c modelConfig) surplus(name string) bool {
	return c.Text.TiedHead && name == "lm_head.weight" ||
		name == "model.vision_model.embeddings.position_ids" || strings.HasSuffix(name, ".rotary_emb.inv_freq")
}
