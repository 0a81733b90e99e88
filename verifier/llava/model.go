// Package llava is the vision-language model LLaVA-1.5 (Liu et al., 2023), of 7 or
// 13 billion parameters, as a verifier.
//
// # The folder
//
// It is that of llava-hf/llava-1.5-7b-hf or one like it, as versions 4.36 to 5 of
// transformers write them: config.json, preprocessor_config.json or
// processor_config.json, the tokenizer, and safetensors in float32, float16 or
// bfloat16, in one file or several. A setting that this package does not have is an
// error that names the file and the field, unless Options.Ignore names it.
//
// # Pictures
//
// The middle of a picture counts: its shorter side is brought to 336 pixels, in the
// published checkpoints, and what does not fit into a square is cut off. CLIP's tower
// makes 576 tokens of it, which a small network translates into those of a Llama.
package llava

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

//go:generate go run ../../internal/vlm/face "LLaVA-1.5"

// name of the package, in errors.
const name = "llava"

// Options of Open. The zero value is the model as its makers use it.
type Options struct {
	// Paper follows the reference code of the paper, Dual-Process Image Generation, in
	// place of the model's own processor and chat template: each picture's range of
	// values is stretched to [0, 1], and all of it is brought to the square, its
	// proportions lost, by bilinear sampling without antialiasing. The prompt begins
	// with an instruction to the assistant, and ends in the space that otherwise begins
	// the answer.
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

// network is what LLaVA has of its own.
type network struct {
	config     modelConfig
	blocks     nn.EncoderConfig
	activation func(x *Node) *Node // of the projector
	dtype      dtypes.DType        // that is computed in
	paper      bool
	tower      *vision.CLIP
	projector  *nn.MLP
}

var _ vlm.Model = (*network)(nil)

// open reads the folder of a checkpoint.
func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
	c, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper}
	if m.blocks, err = c.Vision.Blocks(c.Blocks); err != nil {
		return nil, fmt.Errorf("config.json: vision_config: %w", err)
	}
	if m.activation, err = nn.Activation(c.Activation); err != nil {
		return nil, fmt.Errorf("config.json: projector_hidden_act: %w", err)
	}
	opening := vlm.Opening{Name: name, Model: m, Image: c.ImageToken, Tokens: c.findTokens, Load: m.load, Surplus: c.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters. Versions of transformers have written them under
// different names.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.tower = vision.NewCLIP(c.Layout("embeddings.class_embedding", towers...), m.config.Vision, m.blocks)
	m.projector = newProjector(c.Layout("linear_1.weight", "multi_modal_projector", "model.multi_modal_projector"), m.config, m.activation)
	text := c.Layout("embed_tokens.weight", "language_model.model", "model.language_model")
	return decoder.NewWithHead(text, c.Layout("weight", "language_model.lm_head", "lm_head"), m.config.Text)
}

// towers are where the tower may be in a checkpoint.
var towers = []string{"vision_tower.vision_model", "vision_tower", "model.vision_tower.vision_model", "model.vision_tower"}

// surplus accepts what checkpoints carry besides: the blocks of the tower after
// the one that is used, with the norm after all; tables that are computed; and a
// head that is tied.
func (c modelConfig) surplus(name string) bool {
	if strings.HasSuffix(name, ".rotary_emb.inv_freq") {
		return true
	}
	for _, tower := range towers {
		inside, ok := strings.CutPrefix(name, tower+".")
		if !ok {
			continue
		}
		var block int
		if n, _ := fmt.Sscanf(inside, "encoder.layers.%d.", &block); n == 1 {
			return block >= c.Blocks && block < c.Vision.Layers
		}
		if inside == "embeddings.position_ids" || strings.HasPrefix(inside, "post_layernorm.") {
			return true
		}
	}
	return c.Text.TiedHead && (name == "lm_head.weight" || name == "language_model.lm_head.weight")
}
