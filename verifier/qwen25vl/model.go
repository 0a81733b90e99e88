// Package qwen25vl is the verifier Qwen2.5-VL (Alibaba, 2025), of 3, 7, 32 or 72
// billion parameters. It loads folders in Hugging Face's layout and does what
// transformers' Qwen2_5_VLForConditionalGeneration and its processor do.
package qwen25vl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

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
	v, err := OpenFS(ctx, rt, os.DirFS(folder), o)
	if err != nil {
		return nil, fmt.Errorf("qwen25vl: open %s: %w", folder, err)
	}
	return v, nil
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Verifier, error) {
	config, err := ReadConfig(fsys)
	if err != nil {
		return nil, err
	}
	s := vlm.Setup{Name: "qwen25vl", Marker: config.ImageToken, Image: config.ImageToken}
	if s.Tokenizer, err = openTokenizer(fsys, config); err != nil {
		return nil, err
	}
	turnEnd, _ := s.Tokenizer.ID(endToken)
	if s.Ends, err = vlm.ReadEnds(fsys, turnEnd); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m := &parts{config: config, runtime: rt, paper: o.Paper}
	s.Model = m
	root := weights.Root(rt.Store, "/verifier")
	err = weights.LoadTo(rt.Backend, fsys, ".", rt.Store, root, config.surplus, func(c weights.Cursor) {
		m.vision, s.Decoder = build(c, config)
	})
	var v *Verifier
	if err == nil {
		v, err = vlm.New(rt, s, o)
	}
	if err != nil {
		return nil, errors.Join(err, rt.Store.DeleteVariablesInScope(root))
	}
	return v, nil
}

// build reads the parameters, under the names of transformers 4.50 or of later
// versions.
func build(c weights.Cursor, config Config) (*Vision, *decoder.Decoder) {
	tower := c.Layout("patch_embed.proj.weight", "visual", "model.visual")
	text := c.Layout("embed_tokens.weight", "model", "model.language_model")
	return NewVision(tower, config.Vision), decoder.NewWithHead(text, c.In("lm_head"), config.Text)
}

// surplus accepts a head that is stored though it is the table of embeddings.
func (c Config) surplus(name string) bool { return c.Text.TiedHead && name == "lm_head.weight" }

// openTokenizer opens the tokenizer and sees to it that the tokens of the prompt
// are its.
func openTokenizer(fsys fs.FS, c Config) (*tokenizer.Tokenizer, error) {
	t, err := tokenizer.Open(fsys, ".")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{startToken, endToken, visionStart, imageToken, visionEnd} {
		id, ok := t.ID(name)
		if !ok {
			return nil, fmt.Errorf("%w: the tokenizer has no token %s", weights.ErrConfig, name)
		}
		if name == imageToken && id != c.ImageToken {
			return nil, fmt.Errorf("%w: image_token_id is %d, the tokenizer's %s is %d", weights.ErrConfig, c.ImageToken, name, id)
		}
	}
	return t, nil
}

// parts are what is Qwen2.5-VL's own; package vlm does the rest.
type parts struct {
	config  Config
	runtime *backends.Runtime
	vision  *Vision
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
func (m *parts) Features(p *nn.Probe, image *Node, checkpoint bool) *Node {
	d := image.Shape().Dimensions
	size, err := m.target(vision.Size{Height: d[1], Width: d[2]})
	if err != nil {
		panic(err)
	}
	pixels := m.config.Processor.process(image, size, m.paper)
	patches := p.See("pixel_values", m.config.Processor.patches(pixels))
	return m.vision.Apply(p, ConvertDType(patches, m.runtime.DType), checkpoint)
}
