// Package gemma3 is the vision-language model Gemma 3 (Google, 2025) as a verifier:
// the 4B, the 12B and the 27B, which have eyes. It loads folders in the layout of
// Hugging Face's transformers.
//
// A picture is brought to a square whatever its shape; SigLIP's tower makes patches
// of it, whose means over small squares become its tokens. Those attend to each
// other in both directions; all others to what is before them alone.
package gemma3

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
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

// Errors of Prepare and of the methods that take pictures.
var (
	// ErrPictureSize says that pictures of a size cannot be looked at.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question or an answer is empty or not UTF-8.
	ErrQuestion = vlm.ErrQuestion
)

// Options of Open. The zero value is the model as its makers use it.
type Options = vlm.Options

// Verifier is a Gemma 3 on a runtime: a dualprocess.Verifier and Scorer, which also
// compares Yes with No and answers in its own words.
type Verifier = vlm.Verifier

// network is what Gemma 3 has of its own.
type network struct {
	config    Config
	blocks    nn.EncoderConfig
	dtype     dtypes.DType // that is computed in
	paper     bool
	together  bool // the tokens of a picture attend to each other
	tower     *tower
	projector *projector
}

var _ vlm.Model = (*network)(nil)

// Open loads the verifier in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Verifier, error) {
	return vlm.OpenFolder(ctx, rt, "gemma3", folder, o, OpenFS)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	// The reference gives the model no types of tokens, without which the picture's see what is before them alone.
	return open(ctx, rt, fsys, o, !o.Paper)
}

func open(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options, together bool) (*Verifier, error) {
	m, err := newNetwork(rt, fsys, o, together)
	if err != nil {
		return nil, err
	}
	opening := vlm.Opening{
		Name: "gemma3", Model: m, Image: m.config.Soft, Tokens: m.config.findTokens, Load: m.load, Surplus: m.config.surplus,
	}
	return opening.Open(ctx, rt, fsys, o)
}

func newNetwork(rt *backends.Runtime, fsys fs.FS, o Options, together bool) (*network, error) {
	c, err := ReadConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: c, dtype: rt.DType, paper: o.Paper, together: together}
	if m.blocks, err = c.Vision.encoder(); err != nil {
		return nil, fmt.Errorf("config.json: vision_config: %w", err)
	}
	return m, nil
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
func (c Config) surplus(name string) bool {
	name = strings.TrimPrefix(name, "model.")
	if strings.HasPrefix(name, "vision_tower.") {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "vision_tower."), "vision_model.")
		return strings.HasPrefix(name, "head.") || name == "embeddings.position_ids"
	}
	return c.Text.TiedHead && (name == "lm_head.weight" || name == "language_model.lm_head.weight")
}

// size is that of the pictures that the tower sees.
func (c PictureConfig) size() vision.Size {
	return vision.Size{Height: c.Size.Height, Width: c.Size.Width}
}

// Layout implements vlm.Model. Pictures of every size have as many tokens.
func (m *network) Layout(vision.Size) (vlm.Layout, error) {
	return vlm.Layout{
		Tokens:      slices.Repeat([]int{m.config.Soft}, m.config.ImageTokens),
		Together:    m.together,
		Activations: m.blocks.Activations(m.config.Vision.patches() * m.config.Vision.patches()),
	}, nil
}

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	return m.projector.Apply(f, m.tower.Apply(f, ConvertDType(x, m.dtype)))
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
// Their ratio of sides is not kept.
func (m *network) process(image *Node) *Node {
	c := m.config.Picture
	if m.paper {
		return vision.Normalize(vision.Resize(vision.Stretch(image), c.size(), vision.Filter{Kernel: vision.Bilinear}), c.Mean, c.Std)
	}
	return vision.Process(image, c.size(), c.PictureConfig)
}
