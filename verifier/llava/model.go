// Package llava is the vision-language model LLaVA-1.5 (Liu et al., 2023), of 7 or
// 13 billion parameters, as a verifier. It loads folders in the layout of
// transformers and does what LlavaForConditionalGeneration and its processor do.
//
// The middle of a picture goes through CLIP's tower, whose tokens a small network
// translates into those of a Llama.
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
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Errors of Prepare and of the methods that take pictures.
var (
	// ErrPictureSize says that pictures of a size cannot be looked at.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question or an answer is empty or not UTF-8.
	ErrQuestion = vlm.ErrQuestion
)

// Options of Open. The zero value is the model as its makers use it.
type Options = vlm.Options

// Verifier is a LLaVA on a runtime: a dualprocess.Verifier and Scorer, which also
// compares Yes with No and answers in its own words.
type Verifier = vlm.Verifier

// network is what LLaVA has of its own.
type network struct {
	config     Config
	blocks     nn.EncoderConfig
	activation func(x *Node) *Node // of the projector
	dtype      dtypes.DType        // that is computed in
	paper      bool
	tower      *tower
	projector  *nn.MLP
}

var _ vlm.Model = (*network)(nil)

// Open loads the verifier in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Verifier, error) {
	return vlm.OpenFolder(ctx, rt, "llava", folder, o, OpenFS)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	m, err := newNetwork(rt, fsys, o)
	if err != nil {
		return nil, err
	}
	opening := vlm.Opening{
		Name: "llava", Model: m, Image: m.config.ImageToken, Tokens: m.config.findTokens, Load: m.load, Surplus: m.config.surplus,
	}
	return opening.Open(ctx, rt, fsys, o)
}

func newNetwork(rt *backends.Runtime, fsys fs.FS, o Options) (*network, error) {
	c, err := ReadConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper}
	if m.blocks, err = c.encoder(); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if m.activation, err = nn.Activation(c.Activation); err != nil {
		return nil, fmt.Errorf("config.json: projector_hidden_act: %w", err)
	}
	return m, nil
}

// load reads the parameters. Versions of transformers have written them under
// different names.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.tower = newTower(c.Layout("embeddings.class_embedding", towers...), m.config, m.blocks)
	m.projector = newProjector(c.Layout("linear_1.weight", "multi_modal_projector", "model.multi_modal_projector"), m.config, m.activation)
	text := c.Layout("embed_tokens.weight", "language_model.model", "model.language_model")
	return decoder.NewWithHead(text, c.Layout("weight", "language_model.lm_head", "lm_head"), m.config.Text)
}

// towers are the places of the tower in a checkpoint.
var towers = []string{"vision_tower.vision_model", "vision_tower", "model.vision_tower.vision_model", "model.vision_tower"}

// surplus accepts what checkpoints carry besides: the blocks of the tower behind
// the one that is used, with the norm behind all; tables that are computed; and a
// head that is tied.
func (c Config) surplus(name string) bool {
	if strings.HasSuffix(name, ".rotary_emb.inv_freq") {
		return true
	}
	for _, place := range towers {
		inside, ok := strings.CutPrefix(name, place+".")
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

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	return m.projector.Apply(f, m.tower.Apply(f, ConvertDType(x, m.dtype)))
}
