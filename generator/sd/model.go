// Package sd is the text-to-image generator Stable Diffusion 1 (Rombach et al.
// 2022): a U-Net that predicts the noise in latents, with classifier-free
// guidance. It loads folders in diffusers' layout and does what diffusers'
// StableDiffusionPipeline does, with the sampler DDIM:
//
//	g, err := sd.Open(ctx, rt, "stable-diffusion-v1-4", sd.Options{Steps: 25})
//
// Of a folder with another scheduler (PNDM, Euler, DPM-Solver++, UniPC and others) the
// noise schedule is read and the steps are DDIM's, of which the runtime's logger is
// told; a setting that changes the schedule otherwise is an error that names it.
//
// Latents are laid out as in the pipeline, [batch, channels, height/8, width/8].
package sd

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

// Generator is Stable Diffusion on a runtime: a [dualprocess.Generator]. Several
// goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Release or a Close waits for them.
type Generator struct {
	config   config
	options  Options // with every default filled in
	runtime  *backends.Runtime
	model    *backends.Model
	encoder  *pipeline.Encoder[string]
	unet     *unet
	decoder  *autoencoder.Decoder
	schedule schedule
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
	return pipeline.Open(ctx, rt, "sd", folder, o.reading(), o, open)
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	return pipeline.OpenFS(ctx, rt, "sd", fsys, o.reading(), o, open)
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
	if class := g.config.Scheduler.Class; class != ddim {
		p.Runtime.Logger().InfoContext(ctx, "the noise schedule is that of the folder's scheduler, sampling is by DDIM", "model", "sd", "scheduler", class)
	}
	g.schedule = newSchedule(g.config.Scheduler, g.options.Steps)
	if g.encoder, err = newEncoder(ctx, p, g.config.CLIP, g.options); err != nil {
		return nil, err
	}
	return g, p.Load(ctx,
		pipeline.Weights{Folder: "unet", Read: func(c weights.Cursor) { g.unet = newUNet(c, g.config.UNet) }},
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

// Encode returns CLIP's states of the prompt, float32 [1, words, width], and under
// guidance those of the negative prompt. What is longer than the encoder reads is
// cut, as in the pipeline. The latest prompts are remembered.
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
	return pipeline.Latents(g.model, seeds, g.config.UNet.InChannels, height, width)
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.options.Steps }

// Levels is the number of noise levels that the model was trained on.
func (g *Generator) Levels() int { return g.config.Scheduler.TrainTimesteps }

// Predict returns what the U-Net predicts after guidance: the noise or, as the
// scheduler's configuration says, the velocity or the clean latents.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	return g.predict(nn.Pass{Delta: d}, latents, Reshape(pipeline.At(g.schedule.times, i), 1), cond)
}

// predict is Predict at times of the training, float32 [1] or one for every row of
// the network's batch.
func (g *Generator) predict(f nn.Pass, latents, times *Node, cond []*Node) *Node {
	g.model.In(latents.Graph())
	network := func(d *lora.Delta, x *Node, cond []*Node) *Node {
		f.Delta = d
		f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, x.Shape().Dim(0)*g.activations())
		return ConvertDType(g.unet.apply(f, ConvertDType(x, g.runtime.DType), times, cond[0]), dtypes.Float32)
	}
	x := pipeline.ChannelsLast(latents)
	return pipeline.ChannelsFirst(pipeline.Guided(*g.options.Guidance, f.Delta, x, cond, network))
}

// activations estimates the bytes that the backward pass of one row of the U-Net's
// batch keeps without checkpointing: some 10 vectors at every place for a residual
// block and 40 for an attention, and the attention's weights in float32 twice.
func (g *Generator) activations() int {
	c, total := g.config.UNet, 0
	height, width := g.size()
	for i, channels := range c.Channels {
		places, blocks := height*width, 2*c.LayersPerBlock+1
		total += blocks * places * 10 * channels * g.runtime.DType.Size()
		if c.DownBlocks[i] == downAttention {
			heads := c.Heads.at(i)
			scores := nn.ScoreBytes(g.runtime.Backend, g.runtime.DType, places, heads, channels/heads) + 8*heads*places*g.config.CLIP.Positions
			total += blocks * c.Layers * (places*40*channels*g.runtime.DType.Size() + scores)
		}
		height, width = (height+1)/2, (width+1)/2
	}
	return total
}

// Clean returns the clean latents that the prediction implies.
func (g *Generator) Clean(latents, prediction, i *Node) *Node {
	clean, _ := g.schedule.original(latents, prediction, i)
	return clean
}

// Step returns the latents of step i+1 by DDIM, without randomness.
func (g *Generator) Step(latents, prediction, i *Node) *Node {
	clean, noise := g.schedule.original(latents, prediction, i)
	return Add(Mul(pipeline.At(g.schedule.nextClean, i), clean), Mul(pipeline.At(g.schedule.nextNoise, i), noise))
}

// Noise returns the latents of step i, made of clean ones and noise.
func (g *Generator) Noise(clean, noise, i *Node) *Node {
	return Add(Mul(pipeline.At(g.schedule.clean, i), clean), Mul(pipeline.At(g.schedule.noise, i), noise))
}

// Decode draws the pictures, [batch, height, width, 3].
func (g *Generator) Decode(latents *Node) *Node {
	g.model.In(latents.Graph())
	activations := g.config.Autoencoder.Activations(g.options.Height, g.options.Width)
	f := pipeline.Drawing(g.runtime, g.options.Checkpoint, latents.Shape().Dim(0)*activations)
	x := ConvertDType(pipeline.ChannelsLast(latents), g.runtime.DType)
	return pipeline.Picture(g.decoder.Apply(f, x))
}

// Preset suggests the paper's targets: all attention, within the picture and to
// the text.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{Prefix: "unet", Targets: []string{"to_k", "to_q", "to_v", "to_out.0"}}
}
