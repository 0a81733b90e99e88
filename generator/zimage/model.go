// Package zimage is the text-to-image generator Z-Image (Alibaba, 2025), and
// Z-Image-Turbo, distilled from it to eight steps without guidance: a transformer that
// reads a text by Qwen3 and a picture as one sequence, over the latents of FLUX.1's
// autoencoder. It loads folders in diffusers' layout and does what diffusers'
// ZImagePipeline does:
//
//	g, err := zimage.Open(ctx, rt, "Z-Image-Turbo", zimage.Options{})
//
// Latents are laid out as in the pipeline, [batch, channels, height/8, width/8].
package zimage

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

// Generator is Z-Image on a runtime: a [dualprocess.Generator]. Several
// goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Release or a Close waits for them.
type Generator struct {
	config      config
	options     Options // with every default filled in
	runtime     *backends.Runtime
	model       *backends.Model
	encoder     *pipeline.Encoder[string]
	transformer *transformer
	decoder     *autoencoder.Decoder
	flow        pipeline.Flow
	guidance    []float32 // at each noise level
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
	return pipeline.Open(ctx, rt, "zimage", folder, o.reading(), o, open)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	return pipeline.OpenFS(ctx, rt, "zimage", fsys, o.reading(), o, open)
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
	height, width := g.size()
	g.flow = newFlow(g.config.Scheduler, g.options.Steps, height*width/(patch*patch), g.config.Transformer.TimeScale)
	g.guidance = guidance(g.options, g.flow.Sigmas, g.config.Scheduler.TrainTimesteps)
	if g.encoder, err = newEncoder(ctx, p, g.config, g.options); err != nil {
		return nil, err
	}
	return g, p.Load(ctx,
		pipeline.Weights{Folder: "transformer", Read: func(c weights.Cursor) { g.transformer = newTransformer(c, g.config.Transformer) }},
		pipeline.Weights{Folder: "vae", Exact: true, Surplus: autoencoder.EncoderSurplus, Read: func(c weights.Cursor) {
			g.decoder = autoencoder.NewDecoder(c, g.config.Autoencoder)
		}},
	)
}

// size is the height and width of the latents.
func (g *Generator) size() (height, width int) {
	pixels := g.config.Autoencoder.Factor()
	return g.options.Height / pixels, g.options.Width / pixels
}

// Encode returns Qwen3's states of the prompt, float32 [1, TextTokens, width], and
// their mask [1, TextTokens]; under guidance also those of the negative prompt. What is
// too long is cut, as in the pipeline. The latest prompts are remembered.
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

// Latents returns Gaussian noise, float32 [seeds, channels, height, width].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	height, width := g.size()
	return pipeline.Latents(g.model, seeds, g.config.Transformer.InChannels, height, width)
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.flow.Steps() }

// Levels is the number of noise levels that the model was trained on.
func (g *Generator) Levels() int { return g.flow.Levels() }

// Predict returns the velocity after guidance, with the shape of latents.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	return g.predict(nn.Pass{Delta: d}, latents, i, cond)
}

func (g *Generator) predict(f nn.Pass, latents, i *Node, cond []*Node) *Node {
	g.model.In(latents.Graph())
	time := Reshape(g.flow.Time(i), 1)
	network := func(d *lora.Delta, x *Node, cond []*Node) *Node {
		f.Delta = d
		f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, x.Shape().Dim(0)*g.activations())
		in := inputs{latents: ConvertDType(x, g.runtime.DType), text: cond[0], mask: cond[1], time: time}
		return ConvertDType(g.transformer.apply(f, in), dtypes.Float32)
	}
	x := pipeline.ChannelsLast(latents)
	if !g.Guides() {
		return Neg(pipeline.ChannelsFirst(network(f.Delta, x, cond)))
	}
	positive, negative := pipeline.Both(f.Delta, x, cond, network)
	return Neg(pipeline.ChannelsFirst(g.guided(positive, negative, i)))
}

// guided returns p + scaleᵢ·(p - n), not longer than Normalization times p.
func (g *Generator) guided(positive, negative, i *Node) *Node {
	guided := Add(positive, Mul(pipeline.At(g.guidance, i), Sub(positive, negative)))
	if g.options.Normalization == 0 {
		return guided
	}
	limits := make([]float32, len(g.guidance))
	for k, scale := range g.guidance {
		if limits[k] = 1; scale > 0 {
			limits[k] = float32(g.options.Normalization)
		}
	}
	limit := Div(Mul(length(positive), pipeline.At(limits, i)), length(guided))
	return Mul(guided, MinScalar(limit, 1))
}

// length is the Euclidean one of each row of x, [B, 1, 1, 1].
func length(x *Node) *Node { return Sqrt(ReduceAndKeep(Square(x), ReduceSum, 1, 2, 3)) }

// activations estimates the bytes that the backward pass of one row of the
// transformer's batch keeps without checkpointing: per block and token some 16 vectors
// and 5 inside the feed-forward layer, and the attention's weights in float32 twice.
func (g *Generator) activations() int {
	c := g.config.Transformer
	height, width := g.size()
	tokens := rounded(height*width/(patch*patch)) + rounded(g.options.TextTokens)
	return (c.Layers + c.Refiners) * tokens * ((16*c.Width+5*c.inner())*g.runtime.DType.Size() + 8*c.Heads*tokens)
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
	x := ConvertDType(pipeline.ChannelsLast(latents), g.runtime.DType)
	return pipeline.Picture(g.decoder.Apply(f, x))
}

// Preset suggests the layers and the learning rate of diffusers' training script for
// adapters of Z-Image.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{
		LearningRate: 1e-4,
		Prefix:       "transformer",
		Targets:      []string{"attention.to_q", "attention.to_k", "attention.to_v", "attention.to_out.0"},
	}
}
