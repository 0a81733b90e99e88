// Package pixtral is the vision-language model Pixtral 12B (Mistral AI, 2024) as a
// verifier. It loads folders in the layout of transformers and does what
// LlavaForConditionalGeneration with Pixtral's tower and PixtralProcessor do.
//
// The tower looks at the picture in its own shape, and in its own size if that is
// not too large; every patch becomes a token of the prompt, with one more behind
// each row.
package pixtral

import (
	"context"
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

// name of the package, in errors.
const name = "pixtral"

// Options of Open. The zero value is the model as its makers use it.
type Options = vlm.Options

// Verifier is a Pixtral on a runtime; see vlm.Verifier for its methods.
type Verifier = vlm.Verifier

// Errors of Prepare and of the methods that take pictures.
var (
	// ErrPictureSize says that pictures of a size cannot be looked at.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question or an answer cannot be put to the model.
	ErrQuestion = vlm.ErrQuestion
)

// network is what Pixtral has of its own.
type network struct {
	config Config
	dtype  dtypes.DType // that is computed in
	paper  bool
	vision *visionModel

	rowEnd, pictureEnd int // tokens behind the rows of a picture, behind the last
}

var _ vlm.Model = (*network)(nil)

// Open loads the verifier in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Verifier, error) {
	return vlm.OpenFolder(ctx, rt, name, folder, o, OpenFS)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	config, err := ReadConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &network{config: config, dtype: rt.DType, paper: o.Paper}
	opening := vlm.Opening{Name: name, Model: m, Image: config.ImageToken, Tokens: m.findTokens, Load: m.load, Surplus: config.surplus}
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
func (c Config) surplus(name string) bool {
	return c.Text.TiedHead && (name == "language_model.lm_head.weight" || name == "lm_head.weight") ||
		strings.HasSuffix(name, ".rotary_emb.inv_freq") || strings.HasSuffix(name, ".patch_positional_embedding.inv_freq")
}

// target is the size in which the tower looks at a picture. The paper's reference
// leaves pictures as large as they are, unless the folder names one size for all;
// what is left over of a patch at the right and the bottom is then not seen.
func (m *network) target(picture vision.Size) vision.Size {
	rule := *m.config.Picture.Size
	switch {
	case !m.paper:
		return rule.target(picture, m.config.Vision.PatchSize)
	case rule.Height > 0 && rule.Width > 0:
		return vision.Size{Height: rule.Height, Width: rule.Width}
	}
	return picture
}

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	x := f.Record("pixel_values", m.process(image))
	return m.vision.Apply(f, ConvertDType(x, m.dtype))
}

// process brings pictures [B, height, width, 3] to the numbers that the tower reads.
func (m *network) process(image *Node) *Node {
	d := image.Shape().Dimensions
	size := m.target(vision.Size{Height: d[1], Width: d[2]})
	if m.paper {
		return vision.ProcessPaper(image, size, m.config.Picture.PictureConfig)
	}
	return vision.Process(image, size, m.config.Picture.PictureConfig)
}
