// Package idefics2 is the vision-language model Idefics2 (Hugging Face, 2024) as a
// verifier. It loads folders in the layout of transformers and does what
// Idefics2ForConditionalGeneration and its processor do. Pictures are looked at as a
// whole unless Options.Split asks for their quarters, too, whatever
// do_image_splitting says in the folder: it is set in the published one, and the
// paper's reference turns it off.
//
// A SigLIP tower looks at the picture in nearly its own size and shape; a
// resampler sums it up in a fixed number of tokens, 64 in the published
// checkpoints; a Mistral reads those and the question.
package idefics2

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
const name = "idefics2"

// Options of Open. The zero value is the model as its makers use it, but for Split.
type Options = vlm.Options

// Verifier is an Idefics2 on a runtime; see vlm.Verifier for its methods.
type Verifier = vlm.Verifier

// Errors of Prepare and of the methods that take pictures.
var (
	// ErrPictureSize says that pictures of a size cannot be looked at.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question or an answer cannot be put to the model.
	ErrQuestion = vlm.ErrQuestion
)

// network is what Idefics2 has of its own.
type network struct {
	config Config
	dtype  dtypes.DType // that is computed in
	paper  bool
	split  bool
	border int // the token on both sides of a picture
	vision *visionModel
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
	m := &network{config: config, dtype: rt.DType, paper: o.Paper, split: o.Split}
	opening := vlm.Opening{Name: name, Model: m, Image: config.ImageToken, Tokens: m.findTokens, Load: m.load, Surplus: config.surplus, Splits: true}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters at the root of a checkpoint.
func (m *network) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(c.In("model"), m.config)
	return decoder.NewWithHead(c.In("model", "text_model"), c.In("lm_head"), m.config.Text)
}

// surplus accepts what checkpoints may carry besides: a head that is tied, and
// tables that are computed.
func (c Config) surplus(name string) bool {
	return c.Text.TiedHead && name == "lm_head.weight" ||
		name == "model.vision_model.embeddings.position_ids" || strings.HasSuffix(name, ".rotary_emb.inv_freq")
}

// target is the size in which the tower looks at a picture. The paper's reference
// leaves pictures as large as they are, unless the folder names one size for all.
func (m *network) target(picture vision.Size) vision.Size {
	if rule := m.config.Picture.Size; !m.paper || rule.fixed() {
		return rule.target(picture)
	}
	return picture
}

// Features implements vlm.Model.
func (m *network) Features(f nn.Pass, image *Node) *Node {
	d := image.Shape().Dimensions
	parts := m.parts(vision.Size{Height: d[1], Width: d[2]})
	var vectors []*Node // [B, latents, hidden] per part
	for len(parts) > 0 {
		same := 1 // parts of one size are looked at together
		for same < len(parts) && parts[same].size == parts[0].size {
			same++
		}
		x := m.look(f, image, parts[:same])
		for k := range same {
			vectors = append(vectors, Slice(x, AxisRange(k*d[0], (k+1)*d[0])))
		}
		parts = parts[same:]
	}
	return Concatenate(vectors, 1)
}

// look maps some parts of pictures, all of one size, to [parts·B, latents, hidden].
func (m *network) look(f nn.Pass, image *Node, parts []part) *Node {
	pieces := make([]*Node, len(parts))
	for i, part := range parts {
		pieces[i] = m.process(part.cut(image))
	}
	x := f.Record("pixel_values", Concatenate(pieces, 0))
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
