// Package qwen25vl is the verifier Qwen2.5-VL (Alibaba, 2025), of 3, 7, 32 or 72
// billion parameters. It loads folders in Hugging Face's layout and does what
// transformers' Qwen2_5_VLForConditionalGeneration and its processor do.
package qwen25vl

import (
	"context"
	"io/fs"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/decoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Errors of Prepare and of the methods that take pictures.
var (
	// ErrPictureSize says that the model cannot look at pictures of a size.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a question or an answer is empty or not UTF-8.
	ErrQuestion = vlm.ErrQuestion
)

// Options of Open. The zero value is the model as its makers use it.
type Options = vlm.Options

// Verifier is Qwen2.5-VL on a runtime: a dualprocess.Verifier and Scorer, which
// also compares Yes with No and answers in its own words.
type Verifier = vlm.Verifier

// Open loads the verifier in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Verifier, error) {
	return vlm.OpenFolder(ctx, rt, "qwen25vl", folder, o, OpenFS)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	config, err := ReadConfig(fsys)
	if err != nil {
		return nil, err
	}
	m := &parts{config: config, runtime: rt, paper: o.Paper}
	opening := vlm.Opening{Name: "qwen25vl", Model: m, Image: config.ImageToken, Tokens: config.findTokens, Load: m.load, Surplus: config.surplus}
	return opening.Open(ctx, rt, fsys, o)
}

// load reads the parameters, under the names of transformers 4.50 or of later
// versions.
func (m *parts) load(c weights.Cursor) *decoder.Decoder {
	m.vision = newVision(c.Layout("patch_embed.proj.weight", "visual", "model.visual"), m.config.Vision)
	text := c.Layout("embed_tokens.weight", "model", "model.language_model")
	return decoder.NewWithHead(text, c.In("lm_head"), m.config.Text)
}

// surplus accepts a head that is stored though it is the table of embeddings.
func (c Config) surplus(name string) bool { return c.Text.TiedHead && name == "lm_head.weight" }

// findTokens sees to it that the tokens of the prompt are the tokenizer's, and
// returns the one that ends a text where the folder does not say.
func (c Config) findTokens(t *tokenizer.Tokenizer) (ends []int, err error) {
	ids, err := vlm.FindTokens(t, endToken, startToken, visionStart, visionEnd)
	if err != nil {
		return nil, err
	}
	return ids[:1], vlm.CheckToken(t, "image_token_id", c.ImageToken, imageToken)
}

// parts are what is Qwen2.5-VL's own; package vlm does the rest.
type parts struct {
	config  Config
	runtime *backends.Runtime
	vision  *visionTower
	paper   bool
}

var _ vlm.Model = (*parts)(nil)

// target is the size that pictures are brought to.
func (m *parts) target(picture vision.Size) (vision.Size, error) {
	if m.paper {
		return m.config.Processor.paperTarget(picture)
	}
	return m.config.Processor.target(picture)
}

// Features implements vlm.Model.
func (m *parts) Features(f nn.Pass, image *Node) *Node {
	d := image.Shape().Dimensions
	size, err := m.target(vision.Size{Height: d[1], Width: d[2]})
	if err != nil {
		panic(err)
	}
	pixels := m.config.Processor.process(image, size, m.paper)
	patches := f.Record("pixel_values", m.config.Processor.patches(pixels))
	return m.vision.Apply(f, ConvertDType(patches, m.runtime.DType))
}
