// Package flux2 is the text-to-image generator FLUX.2 klein (Black Forest Labs, 2026)
// of 4 and 9 billion parameters: the distilled models, which paint in four steps
// without guidance, and the base models they come from, which take 50 and are guided.
// It loads folders in diffusers' layout and does what diffusers' Flux2KleinPipeline
// does without pictures to go by:
//
//	g, err := flux2.Open(ctx, rt, "FLUX.2-klein-4B", flux2.Options{})
//
// Latents are packed as in the pipeline: [batch, tokens, channels], a token being
// a square of 2x2 latents, 16x16 pixels.
package flux2

import (
	"context"
	"io/fs"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Generator is FLUX.2 klein on a runtime: a [dualprocess.Generator]. Several
// goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Release or a Close waits for them.
type Generator struct {
	config      config
	options     Options // with every default filled in
	runtime     *backends.Runtime
	model       *backends.Model
	encoder     *pipeline.Encoder[string]
	transformer *transformer
	decoder     *autoencoder.Flux2Decoder
	flow        pipeline.Flow
	rows, cols  int // of tokens
}

var (
	_ dualprocess.Generator   = (*Generator)(nil)
	_ dualprocess.Presetter   = (*Generator)(nil)
	_ dualprocess.Runtimer    = (*Generator)(nil)
	_ dualprocess.Conditioner = (*Generator)(nil)
	_ dualprocess.Leveler     = (*Generator)(nil)
	_ dualprocess.Releaser    = (*Generator)(nil)
	_ dualprocess.Guider      = (*Generator)(nil)
)

// Open loads the generator in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files. The error wraps ErrOptions, and
// names the field, where the options don't fit the checkpoint; any other names the
// file with the field or the tensor at fault. Nothing is then left in the store.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Generator, error) {
	return pipeline.Open(ctx, rt, "flux2", folder, o.reading(), o, open)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	return pipeline.OpenFS(ctx, rt, "flux2", fsys, o.reading(), o, open)
}

func open(ctx context.Context, p *pipeline.Opening, o Options) (*Generator, error) {
	g := &Generator{runtime: p.Runtime, model: p.Model}
	var err error
	if g.config, err = readConfig(p.Files); err != nil {
		return nil, err
	}
	if g.options, err = o.resolved(g.config); err != nil {
		return nil, err
	}
	g.rows, g.cols = g.options.Height/g.pixels(), g.options.Width/g.pixels()
	g.flow = g.config.Scheduler.Flow(g.options.Steps, mu(g.rows*g.cols, g.options.Steps))
	if g.encoder, err = newEncoder(ctx, p, g.config, g.options); err != nil {
		return nil, err
	}
	return g, p.Load(ctx,
		pipeline.Weights{Folder: "transformer", Read: func(c weights.Cursor) { g.transformer = newTransformer(c, g.config.Transformer) }},
		pipeline.Weights{Folder: "vae", Exact: true, Surplus: autoencoder.Flux2Surplus, Read: func(c weights.Cursor) {
			g.decoder = autoencoder.NewFlux2Decoder(c, g.config.Autoencoder)
		}},
	)
}

// pixels is the side of a token's square.
func (g *Generator) pixels() int { return 2 * g.config.Autoencoder.Factor() }

// activations estimates the bytes that the backward pass of one row of the
// transformer's batch keeps without checkpointing: per block some 30 vectors for each
// token, and the attention's weights in float32 twice.
func (g *Generator) activations() int {
	c := g.config.Transformer
	tokens := g.rows*g.cols + g.options.TextTokens
	dtype := g.runtime.DType
	scores := nn.ScoreBytes(g.runtime.Backend, dtype, tokens, c.Heads, c.HeadWidth)
	return (c.Layers + c.SingleLayers) * (30*tokens*c.width()*dtype.Size() + scores)
}

// Encode returns Qwen3's states of the prompt, float32 [1, TextTokens, width], and
// under guidance those of the negative prompt. What is too long is cut, as in the
// pipeline. The latest prompts are remembered.
func (g *Generator) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	return g.encoder.Encode(ctx, prompt)
}

// Guides says whether the scale of guidance asks for a negative prompt.
func (g *Generator) Guides() bool { return g.encoder.Guides() }

// EncodeGuided is Encode with another negative prompt than that of the options.
func (g *Generator) EncodeGuided(ctx context.Context, prompt, negative string) (dualprocess.Inputs, error) {
	return g.encoder.EncodeGuided(ctx, prompt, negative)
}

// Runtime is the one that the generator was opened with.
func (g *Generator) Runtime() *backends.Runtime { return g.runtime }

// Conditions are the shapes of what Encode returns.
func (g *Generator) Conditions() []shapes.Shape { return g.encoder.Conditions() }

// Release frees the text encoder's weights; an Encode of a new prompt loads them
// again.
func (g *Generator) Release() error { return g.encoder.Release() }

// Close frees the generator's weights, on the device and on the host, and what was
// compiled for it. It waits for what uses them, such as a program that runs, and must
// not be called from there. Whatever is called later, and Distill and Sample at their
// next program, end with an error that wraps [backends.ErrClosed]; graph methods panic
// with it. It may be called again, with the same result, and by several goroutines.
func (g *Generator) Close() error { return g.model.Close() }

// Latents returns Gaussian noise, float32 [seeds, tokens, channels].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	return pipeline.Latents(g.model, seeds, g.rows*g.cols, g.config.Transformer.InChannels)
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.flow.Steps() }

// Levels is the number of noise levels that the model was trained on.
func (g *Generator) Levels() int { return g.flow.Levels() }

// Predict returns the velocity after guidance, with the shape of latents.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	return g.predict(nn.Pass{Delta: d}, latents, g.flow.Time(i), cond)
}

// predict is Predict at a time from 0 to 1000, a float32 scalar.
func (g *Generator) predict(f nn.Pass, latents, time *Node, cond []*Node) *Node {
	g.model.In(latents.Graph())
	network := func(d *lora.Delta, x *Node, cond []*Node) *Node {
		f.Delta = d
		f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, x.Shape().Dim(0)*g.activations())
		return ConvertDType(g.transformer.apply(f, inputs{
			latents: ConvertDType(x, g.runtime.DType), text: cond[0],
			time: Reshape(time, 1), rotary: g.rotary(cond[0].Shape().Dim(1)),
		}), dtypes.Float32)
	}
	return pipeline.Guided(g.options.guidance(), f.Delta, latents, cond, network)
}

// rotary is the table for words, which are at their place in the text, and then the
// tokens of the picture, at their row and column.
func (g *Generator) rotary(words int) nn.RotaryTable {
	positions := make([][]float64, 0, words+g.rows*g.cols)
	for word := range words {
		positions = append(positions, []float64{0, 0, 0, float64(word)})
	}
	for row := range g.rows {
		for col := range g.cols {
			positions = append(positions, []float64{0, float64(row), float64(col), 0})
		}
	}
	return nn.NewRotaryTable(positions, g.config.Transformer.Axes, g.config.Transformer.Theta)
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
	activations := g.config.Autoencoder.Activations(g.options.Height, g.options.Width)
	f := pipeline.Drawing(g.runtime, g.options.Checkpoint, latents.Shape().Dim(0)*activations)
	packed := Reshape(latents, latents.Shape().Dim(0), g.rows, g.cols, -1)
	return pipeline.Picture(g.decoder.Apply(f, packed, g.runtime.DType))
}

// Preset suggests what diffusers' script for LoRA adapters of klein trains, the
// picture's attention in the double blocks and all of the single ones, whose fused
// layers hold the feed-forward ones too, and its learning rate. The script draws levels
// evenly, so every step carries the gradient.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{
		LearningRate: 1e-4,
		Prefix:       "transformer",
		Targets:      []string{"attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.to_qkv_mlp_proj", "attn.to_out"},
	}
}
