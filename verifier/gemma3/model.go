// Package gemma3 is the vision-language model Gemma 3 (Google, 2025) as a verifier,
// in the sizes that can see: 4B, 12B and 27B.
//
// # The folder
//
// It is that of google/gemma-3-4b-it or one like it, as versions 4 and 5 of
// transformers write them: config.json, preprocessor_config.json or
// processor_config.json, the tokenizer, and safetensors in float32, float16 or
// bfloat16, in one file or several. A setting that this package does not have is an
// error that names the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// A picture of any size and shape is brought to a square, of 896 pixels a side in
// the published checkpoints, where its proportions are lost; it is not panned and
// scanned. SigLIP's tower makes patches of it, and the means over small squares of
// them become 256 tokens. These attend to each other in both directions; all others
// attend to what comes before them alone.
package gemma3

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

//go:generate go run ../../internal/vlm/face "Gemma 3"

// name of the package, in errors.
const name = "gemma3"

// Options of Open. The zero value is the model as its makers use it.
type Options struct {
	// Paper follows the reference code of the paper, Dual-Process Image Generation, in
	// place of the model's own processor and chat template: each picture's range of
	// values is stretched to [0, 1] and resized by bilinear sampling without
	// antialiasing; the prompt has a system prompt and a second <bos>, and leaves white
	// space around the question; and a picture's tokens attend to those before them
	// alone.
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

// network is what Gemma 3 has of its own.
type network struct {
	config        modelConfig
	blocks        nn.EncoderConfig
	dtype         dtypes.DType // that is computed in
	paper         bool
	bidirectional bool // the tokens of a picture attend to each other
	tower         *tower
	projector     *projector
}

var _ vlm.Model = (*network)(nil)

// open reads the folder of a checkpoint. The paper's reference gives the model no
// types of tokens, without which a picture's attend to those before them alone.
func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
	return openAs(ctx, rt, fsys, o, !o.Paper)
}

func openAs(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options, bidirectional bool) (*vlm.Verifier, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper, bidirectional: bidirectional}
	if m.blocks, err = c.Vision.encoder(); err != nil {
		return nil, fmt.Errorf("config.json: vision_config: %w", err)
	}
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: c.findTokens, Load: m.load, Surplus: c.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters. Versions of transformers have them under different
// names: 4.50 to 4.51, 4.52 on, and 5 where it does not write the older ones.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	const anywhere = "embeddings.patch_embedding.weight"
	m.tower = newTower(c.Layout(anywhere, "vision_tower.vision_model", "model.vision_tower.vision_model", "model.vision_tower"), m.config.Vision, m.blocks)
	m.projector = newProjector(c.Layout("mm_input_projection_weight", "multi_modal_projector", "model.multi_modal_projector"), m.config)
	text := c.Layout("embed_tokens.weight", "language_model.model", "model.language_model")
	return decoder.NewWithHead(text, c.Layout("weight", "language_model.lm_head", "lm_head"), m.config.Text)
}

// surplus accepts what checkpoints may carry besides: a head that is tied, and the
// classifier of SigLIP.
func (c modelConfig) surplus(name string) bool {
	name = strings.TrimPrefix(name, "model.")
	if strings.HasPrefix(name, "vision_tower.") {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "vision_tower."), "vision_model.")
		return strings.HasPrefix(name, "head.") || name == "embeddings.position_ids"
	}
	return c.Text.TiedHead && (name == "lm_head.weight" || name == "language_model.lm_head.weight")
}
