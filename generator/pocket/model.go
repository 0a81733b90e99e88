package pocket

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

//go:embed weights
var embedded embed.FS

// Errors of Encode. They come with dualprocess.ErrPrompt.
var (
	// ErrPromptTooLong says that a prompt has more words than the model reads.
	ErrPromptTooLong = errors.New("prompt too long")
	// ErrUnknownWord says that a prompt has words that the model never learned.
	ErrUnknownWord = tokenizer.ErrUnknownWord
)

// Pipeline names the pocket generator in model_index.json.
const Pipeline = "PocketPipeline"

// name of the package, for errors.
const name = "pocket generator"

// Generator is the pocket generator on a runtime. Several
// goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Release or a Close waits for them.
type Generator struct {
	config      diffusion.Config
	runtime     *backends.Runtime
	model       *backends.Model
	tokenizer   *tokenizer.Tokenizer
	transformer *diffusion.Transformer
	decoder     *diffusion.Decoder
	flow        pipeline.Flow
}

var (
	_ dualprocess.Generator   = (*Generator)(nil)
	_ dualprocess.Presetter   = (*Generator)(nil)
	_ dualprocess.Runtimer    = (*Generator)(nil)
	_ dualprocess.Conditioner = (*Generator)(nil)
	_ dualprocess.Noiser      = (*Generator)(nil)
)

// Options of Open, as other generators have them. There are few: the model was
// trained for one size of pictures and one number of steps.
type Options struct {
	Int8 bool // rounds the weights of the blocks' linear layers to 8 bits
}

// Open loads the embedded weights.
func Open(ctx context.Context, rt *backends.Runtime, o Options) (*Generator, error) {
	sub, err := fs.Sub(embedded, "weights")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return OpenFS(ctx, rt, sub, o)
}

// OpenFS loads a pocket generator from a folder of the same layout.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	return pipeline.OpenFS(ctx, rt, name, fsys, hf.Reading{Int8: o.Int8}, o, open)
}

func open(ctx context.Context, p *pipeline.Opening, _ Options) (*Generator, error) {
	g := &Generator{runtime: p.Runtime, model: p.Model}
	var err error
	if g.config, err = diffusion.ReadConfig(p.Files); err != nil {
		return nil, err
	}
	if g.tokenizer, err = tokenizer.Open(p.Files, "tokenizer"); err != nil {
		return nil, err
	}
	if have, want := g.tokenizer.Size(), g.config.Transformer.VocabSize; have > want {
		return nil, fmt.Errorf("transformer.vocab_size is %d, the tokenizer has %d words", want, have)
	}
	g.flow = g.config.Scheduler.Flow()
	return g, p.Load(ctx,
		pipeline.Weights{Folder: "transformer", Read: func(c weights.Cursor) { g.transformer = diffusion.NewTransformer(c, g.config.Transformer) }},
		pipeline.Weights{Folder: "vae", Exact: true, Read: func(c weights.Cursor) { g.decoder = diffusion.NewDecoder(c.In("decoder"), g.config.Decoder) }},
	)
}

// Encode returns the ids of the prompt's words, int32 [1, words]. A word that the
// model does not know is an error that wraps ErrUnknownWord and
// dualprocess.ErrPrompt, and names it.
func (g *Generator) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	if err := arguments.Call(ctx, g.runtime); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	done, err := g.model.Use()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer done()
	ids, err := g.tokenizer.Encode(prompt)
	if errors.Is(err, ErrUnknownWord) {
		err = fmt.Errorf("%w; pocket.Prompts and pocket.Vocabulary list what is known", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, dualprocess.ErrPrompt, err)
	}
	limit := g.config.Transformer.MaxWords
	if len(ids) > limit {
		return nil, fmt.Errorf("%s: %w: %w: %d words, the model reads %d", name, dualprocess.ErrPrompt, ErrPromptTooLong, len(ids), limit)
	}
	padded := make([]int32, limit)
	for i, id := range ids {
		padded[i] = int32(id)
	}
	return dualprocess.Inputs{pipeline.Row(padded)}, nil
}

// Runtime is the one that the generator was opened with.
func (g *Generator) Runtime() *backends.Runtime { return g.runtime }

// Conditions are the shapes of what Encode returns.
func (g *Generator) Conditions() []shapes.Shape {
	return []shapes.Shape{shapes.Make(dtypes.Int32, 1, g.config.Transformer.MaxWords)}
}

// Close frees the generator's weights, on the device and on the host, and what was
// compiled for it. It waits for what uses them, such as a program that runs, and must
// not be called from there. Whatever is called later, and Distill and Sample at their
// next program, end with an error that wraps [backends.ErrClosed]; graph methods panic
// with it. It may be called again, with the same result, and by several goroutines.
func (g *Generator) Close() error { return g.model.Close() }

// Latents returns Gaussian noise, float32 [seeds, height, width, channels].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	t := g.config.Transformer
	return pipeline.Latents(g.model, seeds, t.SampleSize, t.SampleSize, t.InChannels)
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.flow.Steps() }

// Predict returns the velocity.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	g.model.In(latents.Graph())
	sigma := BroadcastToDims(InsertAxes(g.flow.Time(i), 0), latents.Shape().Dim(0))
	x := ConvertDType(latents, g.runtime.DType)
	return ConvertDType(g.transformer.Apply(nn.Pass{Delta: d}, x, sigma, cond[0]), dtypes.Float32)
}

// Clean returns x - σᵢ·v.
func (g *Generator) Clean(latents, prediction, i *Node) *Node {
	return g.flow.Clean(latents, prediction, i)
}

// Step returns the latents of step i+1 by Euler's rule.
func (g *Generator) Step(latents, prediction, i *Node) *Node {
	return g.flow.Step(latents, prediction, i)
}

// Noise returns the latents of step i on the straight line from clean to noise.
func (g *Generator) Noise(clean, noise, i *Node) *Node { return g.flow.Noise(clean, noise, i) }

// Decode draws the pictures, [batch, height, width, 3].
func (g *Generator) Decode(latents *Node) *Node {
	g.model.In(latents.Graph())
	return ConvertDType(g.decoder.Apply(nn.Pass{}, ConvertDType(latents, g.runtime.DType)), dtypes.Float32)
}

// Preset suggests settings that were measured on this generator: its
// transformer is small, so it bears a larger learning rate than the paper's. Only
// attention is adapted: the layers after it repaint a picture before they move
// anything in it.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{LearningRate: 1.5e-3, Prefix: "transformer", Targets: []string{"to_q", "to_k", "to_v", "to_out.0"}}
}
