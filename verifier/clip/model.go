// Package clip is CLIP (Radford et al., 2021): two towers that bring pictures and
// texts to vectors, near to each other where they go together. It is a Scorer, which
// rates how well a picture fits a caption, and cannot teach; and its vectors are
// what distances between sets of pictures are measured by.
//
//	c, err := clip.Open(ctx, rt, "clip-vit-large-patch14-336", clip.Options{})
//	p, err := c.Score(ctx, img, dualprocess.Question{Text: "a frozen lake", Answer: "Yes"})
//
// # The folder
//
// It is that of openai/clip-vit-large-patch14 or one like it, as transformers writes
// a CLIPModel: config.json, preprocessor_config.json, the tokenizer, and safetensors.
// That of a CLIPVisionModelWithProjection, which has neither tokenizer nor text tower,
// gives Features alone. A setting that this package does not have is an error that
// names the file and the field, unless Options.Ignore names it.
//
// # CLIPScore
//
// The number that Score gives is max(cos, 0), of the angle between the vectors of
// picture and caption, in [0, 1]. torchmetrics' CLIPScore is a hundred times as much,
// and that of Hessel et al. (2021) two and a half times. The temperature by which
// CLIP was trained (logit_scale) is not used in any of them. Of unrelated pictures and
// captions it is about 0.15, of those that go well together about 0.3: it is good for
// comparing, and is no probability.
//
// # Pictures
//
// The middle of a picture counts: its shorter side is brought to 224 or 336 pixels,
// and what does not fit into a square is cut off. That is done on the host in 8 bits,
// as transformers does with Pillow.
package clip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/text"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// name of the package, in errors.
const name = "clip"

// What a caller may want to tell apart. A context, a runtime or a picture that is nil
// is an error that wraps dualprocess.ErrTask.
var (
	// ErrOptions says that a field of Options is out of range; the error names it.
	ErrOptions = vlm.ErrOptions
	// ErrPictureSize says that a picture is empty, or too large or elongated.
	ErrPictureSize = vlm.ErrPictureSize
	// ErrQuestion says that a caption cannot be read: it is empty, or not UTF-8.
	ErrQuestion = vlm.ErrQuestion
	// ErrNoText says that the folder has no text tower.
	ErrNoText = errors.New("the model has no text tower")
)

// Options of Open. The zero value reads the folder as it is.
type Options struct {
	// Ignore names fields of the folder's JSON files that are passed over, at any depth,
	// as if the files did not have them. A field that the library does not know is an
	// error otherwise, unless it is null, a stamp or a default.
	Ignore []string

	// Variant chooses files of weights by the name that transformers' variant gives
	// them, such as "fp16" for model.fp16.safetensors. "" = the plain files, or where
	// there are none the only variant.
	Variant string
}

// Model is a CLIP on a runtime. Several goroutines may use all of its methods at
// once: they take turns where they compute, and a Close waits for them.
type Model struct {
	config   modelConfig
	runtime  *backends.Runtime
	model    *backends.Model
	programs *vlm.Programs

	tower           *vision.CLIP
	norm            *nn.LayerNorm // of the class token
	imageProjection *nn.Linear

	encoder        *text.CLIP // these three are nil without a text tower
	textProjection *nn.Linear
	prompter       *text.Prompter
}

var (
	_ dualprocess.Scorer   = (*Model)(nil)
	_ dualprocess.Runtimer = (*Model)(nil)
	_ io.Closer            = (*Model)(nil)
)

// Open opens the model in folder. Its weights become frozen variables of the runtime's
// store, in the precision of the files. Errors name the file with the field or the
// tensor at fault, or wrap ErrOptions; nothing is then left in the store.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Model, error) {
	return open(ctx, rt, name+": open "+folder, o, func(r hf.Reading) (hf.Folder, error) {
		return hf.OpenFolder(folder, configFile, r)
	})
}

// OpenFS opens the model at the root of a file system. See Open.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Model, error) {
	return open(ctx, rt, name, o, func(r hf.Reading) (hf.Folder, error) {
		if err := arguments.Given("FS", fsys); err != nil {
			return hf.Folder{}, err
		}
		return hf.NewFolder(fsys, configFile, r)
	})
}

func open(ctx context.Context, rt *backends.Runtime, name string, o Options, folder func(hf.Reading) (hf.Folder, error)) (*Model, error) {
	err := arguments.Call(ctx, rt)
	reading := hf.Reading{Ignore: o.Ignore, Variant: o.Variant}
	if err == nil {
		if err = reading.Check(); err != nil {
			err = fmt.Errorf("%w: %w", ErrOptions, err)
		}
	}
	var files hf.Folder
	if err == nil {
		files, err = folder(reading)
	}
	m := &Model{runtime: rt}
	if err == nil {
		err = weights.Explain(files, ".", m.load(files))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// load reads the folder. None of the weights stay in the store where it fails.
func (m *Model) load(fsys fs.FS) (err error) {
	if m.config, err = readConfig(fsys); err != nil {
		return err
	}
	if t := m.config.Text; t != nil {
		if m.prompter, err = text.OpenPrompter(fsys, ".", t.Positions, t.Vocabulary, text.CLIPPadding); err != nil {
			return err
		}
	}
	blocks, err := m.config.Vision.Blocks(m.config.Vision.Layers)
	if err != nil {
		return fmt.Errorf("%s: vision_config: %w", configFile, err)
	}
	if m.model, err = m.runtime.NewModel(name, "/scorer"); err != nil {
		return err
	}
	m.programs = vlm.NewPrograms(m.runtime, m.model)
	if err = m.loadWeights(fsys, blocks); err != nil {
		return errors.Join(err, m.model.Close())
	}
	return nil
}

func (m *Model) loadWeights(fsys fs.FS, blocks nn.EncoderConfig) error {
	done, err := m.model.Use()
	if err != nil {
		return err
	}
	defer done()
	return weights.LoadTo(m.runtime, fsys, ".", m.model.Root(), surplus, func(c weights.Cursor) {
		cfg := m.config
		tower := c.Layout("embeddings.class_embedding", "vision_model", "")
		m.tower = vision.NewCLIP(tower, cfg.Vision, blocks)
		m.norm = nn.NewLayerNorm(tower.In("post_layernorm"), cfg.Vision.Hidden, cfg.Vision.Epsilon)
		m.imageProjection = nn.NewLinear(c.In("visual_projection"), cfg.Vision.Hidden, cfg.Projection, nn.NoBias)
		if cfg.Text != nil {
			m.encoder = text.NewCLIP(c, *cfg.Text)
			m.textProjection = nn.NewLinear(c.In("text_projection"), cfg.Text.Width, cfg.Projection, nn.NoBias)
		}
	})
}

// surplus accepts what checkpoints carry besides: numbers that are counted, and the
// temperature of the loss that trained the towers.
func surplus(name string) bool {
	return name == "logit_scale" || name == "vision_model.embeddings.position_ids" || text.CLIPSurplus(name)
}

// Runtime is the one that the model was opened with.
func (m *Model) Runtime() *backends.Runtime { return m.runtime }

// Close frees the weights, and what was compiled, when nothing uses the model any
// more. What is called later gives an error that wraps backends.ErrClosed.
func (m *Model) Close() error { return m.model.Close() }
