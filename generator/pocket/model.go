// Package pocket is the small text-to-image generator that the library carries
// in itself: a rectified-flow transformer on the latents of an autoencoder,
// trained by this project on drawn scenes of 64x64 pixels. It is an ordinary
// implementation of dualprocess.Generator and takes the same way through
// Distill as any other.
//
// Its folder has the layout of a diffusers pipeline: model_index.json,
// transformer, vae (the decoder), scheduler, tokenizer.
package pocket

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/nn"
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

// Generator is the pocket generator on a runtime.
type Generator struct {
	config      Config
	runtime     *backends.Runtime
	tokenizer   *tokenizer.Tokenizer
	transformer *Transformer
	decoder     *Decoder
}

var (
	_ dualprocess.Generator   = (*Generator)(nil)
	_ dualprocess.Presetter   = (*Generator)(nil)
	_ dualprocess.Runtimer    = (*Generator)(nil)
	_ dualprocess.Conditioner = (*Generator)(nil)
	_ dualprocess.Noiser      = (*Generator)(nil)
)

// Open loads the embedded weights.
func Open(rt *backends.Runtime) (*Generator, error) {
	sub, err := fs.Sub(embedded, "weights")
	if err != nil {
		return nil, fmt.Errorf("pocket generator: %w", err)
	}
	return OpenFS(rt, sub)
}

// OpenFS loads a pocket generator from a folder of the same layout.
func OpenFS(rt *backends.Runtime, fsys fs.FS) (*Generator, error) {
	g := &Generator{runtime: rt}
	for name, part := range map[string]any{
		"transformer/config.json":         &g.config.Transformer,
		"vae/config.json":                 &g.config.Decoder,
		"scheduler/scheduler_config.json": &g.config.Scheduler,
	} {
		if err := hf.ReadConfig(fsys, name, part); err != nil {
			return nil, fmt.Errorf("pocket generator: %w", err)
		}
	}
	if err := g.config.Validate(); err != nil {
		return nil, fmt.Errorf("pocket generator: %w", err)
	}
	if err := g.load(fsys); err != nil {
		return nil, fmt.Errorf("pocket generator: %w", err)
	}
	return g, nil
}

func (g *Generator) load(fsys fs.FS) (err error) {
	if g.tokenizer, err = tokenizer.Open(fsys, "tokenizer"); err != nil {
		return err
	}
	if have, want := g.tokenizer.Size(), g.config.Transformer.VocabSize; have > want {
		return fmt.Errorf("transformer.vocab_size is %d, the tokenizer has %d words", want, have)
	}
	root := weights.Root(g.runtime.Store, "/generator")
	if err := weights.Load(fsys, "transformer", g.runtime.Store, root+"/transformer", nil, func(c weights.Cursor) {
		g.transformer = NewTransformer(c, g.config.Transformer)
	}); err != nil {
		return err
	}
	return weights.Load(fsys, "vae", g.runtime.Store, root+"/vae", nil, func(c weights.Cursor) {
		g.decoder = NewDecoder(c.In("decoder"), g.config.Decoder)
	})
}

// Encode returns the ids of the prompt's words, int32 [1, words]. A word that the
// model does not know is an error that wraps ErrUnknownWord and
// dualprocess.ErrPrompt, and names it.
func (g *Generator) Encode(_ context.Context, prompt string) (dualprocess.Inputs, error) {
	ids, err := g.tokenizer.Encode(prompt)
	if err != nil {
		return nil, fmt.Errorf("pocket generator: %w: %w", dualprocess.ErrPrompt, err)
	}
	limit := g.config.Transformer.MaxWords
	if len(ids) > limit {
		return nil, fmt.Errorf("pocket generator: %w: %w: %d words, the model reads %d", dualprocess.ErrPrompt, ErrPromptTooLong, len(ids), limit)
	}
	padded := make([]int32, limit)
	for i, id := range ids {
		padded[i] = int32(id)
	}
	return dualprocess.Inputs{tensors.FromFlatDataAndDimensions(padded, 1, limit)}, nil
}

// Runtime is the one that the generator was opened with.
func (g *Generator) Runtime() *backends.Runtime { return g.runtime }

// Conditions are the shapes of what Encode returns.
func (g *Generator) Conditions() []shapes.Shape {
	return []shapes.Shape{shapes.Make(dtypes.Int32, 1, g.config.Transformer.MaxWords)}
}

// Latents returns Gaussian noise, float32 [seeds, height, width, channels].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	t := g.config.Transformer
	size := t.SampleSize * t.SampleSize * t.InChannels
	noise := make([]float32, 0, size*len(seeds))
	for _, seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		for range size {
			noise = append(noise, float32(rng.NormFloat64()))
		}
	}
	return tensors.FromFlatDataAndDimensions(noise, len(seeds), t.SampleSize, t.SampleSize, t.InChannels), nil
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.config.Scheduler.NumSteps }

// Predict returns the velocity.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	sigma := BroadcastToDims(InsertAxes(g.sigma(i), 0), latents.Shape().Dim(0))
	x := ConvertDType(latents, g.runtime.DType)
	return ConvertDType(g.transformer.Apply(nn.Pass{Delta: d}, x, sigma, cond[0]), dtypes.Float32)
}

// Clean returns x - σᵢ·v.
func (g *Generator) Clean(latents, prediction, i *Node) *Node {
	return Sub(latents, Mul(g.sigma(i), prediction))
}

// Step returns the latents of step i+1 by Euler's rule.
func (g *Generator) Step(latents, prediction, i *Node) *Node {
	return Add(latents, Mul(Sub(g.sigma(OnePlus(i)), g.sigma(i)), prediction))
}

// Noise returns the latents of step i on the straight line from clean to noise.
func (g *Generator) Noise(clean, noise, i *Node) *Node {
	sigma := g.sigma(i)
	return Add(Mul(OneMinus(sigma), clean), Mul(sigma, noise))
}

// Decode draws the pictures, [batch, height, width, 3].
func (g *Generator) Decode(latents *Node) *Node {
	return ConvertDType(g.decoder.Apply(nn.Pass{}, ConvertDType(latents, g.runtime.DType)), dtypes.Float32)
}

// Preset suggests settings that were measured on this generator: its
// transformer is small, so it bears a larger learning rate than the paper's. Only
// attention is adapted: the layers behind it repaint a picture before they move
// anything in it.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{LearningRate: 1.5e-3, Targets: []string{"to_q", "to_k", "to_v", "to_out.0"}}
}

// sigma is the noise level of step i, a float32 scalar; it is 0 after the last.
func (g *Generator) sigma(i *Node) *Node {
	table := Const(i.Graph(), g.config.Scheduler.Sigmas())
	return ReduceAllSum(Mul(table, OneHot(i, g.Steps()+1, dtypes.Float32)))
}

// Sigmas are the noise levels of the steps and the 0 after the last one.
func (c SchedulerConfig) Sigmas() []float32 {
	sigmas := make([]float32, c.NumSteps+1)
	for k := range c.NumSteps {
		s := 1 - float64(k)/float64(c.NumSteps)
		sigmas[k] = float32(c.Shift * s / (1 + (c.Shift-1)*s))
	}
	return sigmas
}
