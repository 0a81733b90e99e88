// Package sanasprint is the text-to-image generator SANA-Sprint (Chen et al., 2025):
// the transformer of Sana, distilled to a consistency model that takes one to four
// steps, each with one prediction, as it was told of the guidance in its training. It
// loads folders in diffusers' layout and does what diffusers' SanaSprintPipeline does:
//
//	g, err := sanasprint.Open(ctx, rt, "Sana_Sprint_0.6B_1024px_diffusers", sanasprint.Options{})
//
// A step estimates the clean latents and adds noise that was not there before, less than
// there was. That noise is drawn with the first: latents are [batch, steps, channels,
// height/32, width/32], of which the first of the steps' are those that are denoised,
// laid out as in the pipeline and without its factor sigma_data, and each of the others
// is added by the step before it.
package sanasprint

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

// Generator is SANA-Sprint on a runtime: a [dualprocess.Generator]. Several
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
	schedule    trigFlow
}

var (
	_ dualprocess.Generator   = (*Generator)(nil)
	_ dualprocess.Presetter   = (*Generator)(nil)
	_ dualprocess.Runtimer    = (*Generator)(nil)
	_ dualprocess.Conditioner = (*Generator)(nil)
	_ dualprocess.Leveler     = (*Generator)(nil)
	_ dualprocess.Releaser    = (*Generator)(nil)
)

// Open loads the generator in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files. The error wraps ErrOptions, and
// names the field, where the options don't fit the checkpoint; any other names the
// file with the field or the tensor at fault. Nothing is then left in the store.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Generator, error) {
	return pipeline.Open(ctx, rt, "sanasprint", folder, o.reading(), o, open)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	return pipeline.OpenFS(ctx, rt, "sanasprint", fsys, o.reading(), o, open)
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
	g.schedule = newTrigFlow(g.options.Steps, g.config.Scheduler.TrainTimesteps)
	if g.encoder, err = sanabase.NewEncoder(ctx, p, g.config.Config, g.options.TextTokens, *g.options.Instruction, nil); err != nil {
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

// Encode returns Gemma's states of the prompt, float32 [1, TextTokens, width], and
// their mask [1, TextTokens]. What is too long is cut, as in the pipeline. The latest
// prompts are remembered.
func (g *Generator) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	return g.encoder.Encode(ctx, sanabase.NewWording(*g.options.Instruction, prompt))
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

// Latents returns Gaussian noise, float32 [seeds, steps, channels, height, width].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	height, width := g.config.Latents(g.options.Height, g.options.Width)
	return pipeline.Latents(g.model, seeds, g.options.Steps, g.config.Transformer.InChannels, height, width)
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.options.Steps }

// Levels is the number of angles of the model's training.
func (g *Generator) Levels() int { return len(g.schedule.angles) - len(g.schedule.next) }

// denoised takes out of latents those that are denoised, [B, C, H, W].
func denoised(latents *Node) *Node {
	return Squeeze(Slice(latents, AxisRange(), AxisRange(0, 1)), 1)
}

// with returns the latents with others, [B, C, H, W], in place of the denoised ones.
func with(latents, x *Node) *Node {
	x = InsertAxes(x, 1)
	if latents.Shape().Dim(1) == 1 {
		return x
	}
	return Concatenate([]*Node{x, Slice(latents, AxisRange(), AxisRange(1))}, 1)
}

// Predict returns the direction of the arc from clean latents to noise, repeated to
// the shape of latents.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	direction := g.predict(nn.Pass{Delta: d}, denoised(latents), i, cond)
	return BroadcastToDims(InsertAxes(direction, 1), latents.Shape().Dimensions...)
}

// predict is Predict for denoised latents.
func (g *Generator) predict(f nn.Pass, x, i *Node, cond []*Node) *Node {
	g.model.In(x.Graph())
	height, width := g.config.Latents(g.options.Height, g.options.Width)
	activations := g.config.Transformer.Activations(height*width, g.options.TextTokens, g.runtime.DType)
	f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, x.Shape().Dim(0)*activations)
	return g.schedule.direction(x, i, func(x, time *Node) *Node {
		velocity := g.transformer.Apply(f, sanabase.Inputs{
			Latents: ConvertDType(pipeline.ChannelsLast(x), g.runtime.DType), Text: cond[0], Mask: cond[1],
			Time: Reshape(time, 1), Guidance: Const(x.Graph(), []float32{float32(*g.options.Guidance)}),
		})
		return pipeline.ChannelsFirst(ConvertDType(velocity, dtypes.Float32))
	})
}

// Clean returns cos tᵢ·x - sin tᵢ·v, and the noise to come.
func (g *Generator) Clean(latents, prediction, i *Node) *Node {
	return with(latents, g.schedule.clean(denoised(latents), denoised(prediction), i))
}

// Step returns the latents of step i+1: the clean estimate and, but for the last step,
// new noise.
func (g *Generator) Step(latents, prediction, i *Node) *Node {
	clean := g.schedule.clean(denoised(latents), denoised(prediction), i)
	steps := latents.Shape().Dim(1)
	following := OneHot(AddScalar(i, 1), steps, dtypes.Float32)
	noise := Einsum("bschw,s->bchw", latents, following) // none after the last
	return with(latents, g.schedule.step(clean, noise, i))
}

// Noise returns the latents of step i on the arc from clean to noise. The noise to come
// is that of clean.
func (g *Generator) Noise(clean, noise, i *Node) *Node {
	return with(clean, g.schedule.noise(denoised(clean), denoised(noise), i))
}

// Decode draws the pictures, [batch, height, width, 3].
func (g *Generator) Decode(latents *Node) *Node {
	g.model.In(latents.Graph())
	activations := g.config.Autoencoder.Activations(g.options.Height, g.options.Width)
	f := pipeline.Drawing(g.runtime, g.options.Checkpoint, latents.Shape().Dim(0)*activations)
	x := ConvertDType(pipeline.ChannelsLast(denoised(latents)), g.runtime.DType)
	return pipeline.Picture(g.decoder.Apply(f, x))
}

// Preset suggests what suits Sana, whose transformer this is.
func (g *Generator) Preset() dualprocess.Preset { return sanabase.Preset() }
