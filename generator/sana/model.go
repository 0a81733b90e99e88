// Package sana is the text-to-image generator Sana (Xie et al., 2024), and Sana 1.5
// (2025), which normalises queries and keys: a transformer with linear attention over
// the latents of an autoencoder that compresses 32-fold, with classifier-free guidance.
// It loads folders in
// diffusers' layout and does what diffusers' SanaPipeline does:
//
//	g, err := sana.Open(ctx, rt, "Sana_600M_512px_diffusers", sana.Options{Steps: 14})
//
// Latents are laid out as in the pipeline, [batch, channels, height/32, width/32].
package sana

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
	"github.com/dualprocess/dualprocess-go/internal/sanabase"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Generator is Sana on a runtime: a [dualprocess.Generator]. Several
// goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Release or a Close waits for them.
type Generator struct {
	config      config
	options     Options // with every default filled in
	runtime     *backends.Runtime
	model       *backends.Model
	encoder     *pipeline.Encoder[sanabase.Wording]
	transformer *sanabase.Transformer
	decoder     *autoencoder.DCDecoder
	schedule    schedule
}

var (
	_ dualprocess.Generator    = (*Generator)(nil)
	_ dualprocess.Presetter    = (*Generator)(nil)
	_ dualprocess.Runtimer     = (*Generator)(nil)
	_ dualprocess.Conditioner  = (*Generator)(nil)
	_ dualprocess.Leveler      = (*Generator)(nil)
	_ dualprocess.Multistepper = (*Generator)(nil)
	_ dualprocess.Releaser     = (*Generator)(nil)
)

// Open loads the generator in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files. The error wraps ErrOptions, and
// names the field, where the options don't fit the checkpoint; any other names the
// file with the field or the tensor at fault. Nothing is then left in the store.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Generator, error) {
	return pipeline.Open(ctx, rt, "sana", folder, o.reading(), o, open)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	return pipeline.OpenFS(ctx, rt, "sana", fsys, o.reading(), o, open)
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
	g.config.Scheduler.Shift = g.options.Shift
	g.schedule = newSchedule(g.config.Scheduler, g.options.Solver, g.options.Steps)
	negative := pipeline.Negative(*g.options.Guidance, sanabase.NewWording("", g.options.NegativePrompt))
	if g.encoder, err = sanabase.NewEncoder(ctx, p, g.config.Config, g.options.TextTokens, *g.options.Instruction, negative); err != nil {
		return nil, err
	}
	return g, p.Load(ctx,
		pipeline.Weights{Folder: "transformer", Read: func(c weights.Cursor) {
			g.transformer = sanabase.NewTransformer(c, g.config.Transformer)
		}},
		pipeline.Weights{Folder: "vae", Exact: true, Surplus: autoencoder.DCEncoderSurplus, Read: func(c weights.Cursor) {
			g.decoder = autoencoder.NewDCDecoder(c, g.config.Autoencoder)
		}},
	)
}

// size is the height and width of the latents.
func (g *Generator) size() (height, width int) {
	return g.config.Latents(g.options.Height, g.options.Width)
}

// Encode returns Gemma's states of the prompt, float32 [1, TextTokens, width], and
// their mask [1, TextTokens]; under guidance also those of the negative prompt,
// which gets no instruction. What is too long is cut, as in the pipeline. The
// latest prompts are remembered.
func (g *Generator) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	return g.encoder.Encode(ctx, g.wording(prompt))
}

// Guides says whether the scale of guidance asks for a negative prompt.
func (g *Generator) Guides() bool { return g.encoder.Guides() }

// EncodeGuided is Encode with another negative prompt than that of the options.
func (g *Generator) EncodeGuided(ctx context.Context, prompt, negative string) (dualprocess.Inputs, error) {
	return g.encoder.EncodeGuided(ctx, g.wording(prompt), sanabase.NewWording("", negative))
}

func (g *Generator) wording(prompt string) sanabase.Wording {
	return sanabase.NewWording(*g.options.Instruction, prompt)
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

// Latents returns Gaussian noise, float32 [seeds, channels, height, width].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	height, width := g.size()
	return pipeline.Latents(g.model, seeds, g.config.Transformer.InChannels, height, width)
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.schedule.Steps() }

// Levels is the number of noise levels that the model was trained on.
func (g *Generator) Levels() int { return g.schedule.Levels() }

// Predict returns the velocity after guidance, with the shape of latents.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	return g.predict(nn.Pass{Delta: d}, latents, Reshape(g.schedule.Time(i), 1), cond)
}

// predict is Predict at timesteps from 0 to 1000, float32 [1] or one for every row
// of the network's batch.
func (g *Generator) predict(f nn.Pass, latents, times *Node, cond []*Node) *Node {
	g.model.In(latents.Graph())
	times = MulScalar(times, g.config.Transformer.TimeScale)
	network := func(d *lora.Delta, x *Node, cond []*Node) *Node {
		f.Delta = d
		in := sanabase.Inputs{Latents: ConvertDType(x, g.runtime.DType), Text: cond[0], Mask: cond[1], Time: times}
		f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, x.Shape().Dim(0)*g.activations())
		return ConvertDType(g.transformer.Apply(f, in), dtypes.Float32)
	}
	x := pipeline.ChannelsLast(latents)
	return pipeline.ChannelsFirst(pipeline.Guided(*g.options.Guidance, f.Delta, x, cond, network))
}

// activations estimates the bytes that the backward pass of one row keeps.
func (g *Generator) activations() int {
	height, width := g.size()
	return g.config.Transformer.Activations(height*width, g.options.TextTokens, g.runtime.DType)
}

// Clean returns x - σᵢ·v.
func (g *Generator) Clean(latents, prediction, i *Node) *Node {
	return g.schedule.Clean(latents, prediction, i)
}

// Step returns the latents of step i+1 by Euler's rule.
func (g *Generator) Step(latents, prediction, i *Node) *Node {
	return g.schedule.Step(latents, prediction, i)
}

// StepAfter returns the latents of step i+1 by the solver of the options.
func (g *Generator) StepAfter(latents, prediction, previous, i *Node) *Node {
	next := g.Step(latents, prediction, i)
	if g.options.Solver == Euler {
		return next
	}
	change := Sub(g.Clean(latents, prediction, i), previous)
	return Add(next, Mul(pipeline.At(g.schedule.look, i), change))
}

// Noise returns the latents of step i on the straight line from clean to noise.
func (g *Generator) Noise(clean, noise, i *Node) *Node { return g.schedule.Noise(clean, noise, i) }

// Decode draws the pictures, [batch, height, width, 3].
func (g *Generator) Decode(latents *Node) *Node {
	g.model.In(latents.Graph())
	activations := g.config.Autoencoder.Activations(g.options.Height, g.options.Width)
	f := pipeline.Drawing(g.runtime, g.options.Checkpoint, latents.Shape().Dim(0)*activations)
	x := ConvertDType(pipeline.ChannelsLast(latents), g.runtime.DType)
	return pipeline.Picture(g.decoder.Apply(f, x))
}

// Preset suggests the paper's targets, all attention and the gated convolutions,
// and its learning rate for Sana.
func (g *Generator) Preset() dualprocess.Preset { return sanabase.Preset() }
