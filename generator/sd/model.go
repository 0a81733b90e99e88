// Package sd is the text-to-image generator Stable Diffusion 1 (Rombach et al.
// 2022): a U-Net that predicts the noise in latents, led by classifier-free
// guidance. It loads folders in diffusers' layout and does what diffusers'
// StableDiffusionPipeline does, with the sampler DDIM.
//
// Latents are laid out as in the pipeline, [batch, channels, height/8, width/8].
package sd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/autoencoder"
	"github.com/dualprocess/dualprocess-go/internal/guidance"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// ErrOptions says that the options make no sense, or not for this checkpoint; the
// error names the field.
var ErrOptions = errors.New("invalid options")

// AdapterPrefix is where diffusers looks for this model's part of an adapter file:
// what to give as lora.SaveOptions.Prefix.
const AdapterPrefix = "unet"

// Options of Open. The zero value suits the checkpoint.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 8. 0 = the size
	// that the model was trained on, 512.
	Height, Width int
	// Steps from noise to picture, fewer than those of the training. 0 = 50.
	Steps int
	// Guidance exaggerates the difference that the prompt makes; up to 1 there is
	// no such thing, and half the work. nil = 7.5.
	Guidance *float64
	// NegativePrompt says what guidance leads away from; by default from pictures
	// of no prompt.
	NegativePrompt string
	// Checkpoint says whether the activations of every block are recomputed in the
	// backward pass.
	Checkpoint backends.Checkpointing
}

// Generator is Stable Diffusion on a runtime.
type Generator struct {
	config   Config
	options  Options // with every default filled in
	runtime  *backends.Runtime
	encoder  *encoder
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
)

// Open loads the generator in folder. Its weights become frozen variables of the
// runtime's store, in the precision of the files.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Generator, error) {
	g, err := OpenFS(ctx, rt, os.DirFS(folder), o)
	if err != nil {
		return nil, fmt.Errorf("sd: open %s: %w", folder, err)
	}
	return g, nil
}

// OpenFS is Open for any file system; only files of the operating system are
// mapped into memory.
func OpenFS(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o Options) (*Generator, error) {
	g := &Generator{runtime: rt}
	var err error
	if g.config, err = ReadConfig(fsys); err != nil {
		return nil, err
	}
	if g.options, err = o.resolved(g.config); err != nil {
		return nil, err
	}
	g.schedule = newSchedule(g.config.Scheduler, g.options.Steps)
	root := weights.Root(rt.Store, "/generator")
	if err := g.load(ctx, fsys, root); err != nil {
		return nil, errors.Join(err, rt.Store.DeleteVariablesInScope(root))
	}
	return g, nil
}

func (g *Generator) load(ctx context.Context, fsys fs.FS, root string) (err error) {
	store := g.runtime.Store
	if g.encoder, err = newEncoder(g.runtime, fsys, g.config.CLIP, root+"/text_encoder"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := weights.LoadTo(g.runtime.Backend, fsys, "unet", store, root+"/unet", nil, func(c weights.Cursor) {
		g.unet = newUNet(c, g.config.UNet)
	}); err != nil {
		return err
	}
	return weights.LoadTo(g.runtime.Backend, fsys, "vae", store, root+"/vae", autoencoder.EncoderSurplus, func(c weights.Cursor) {
		g.decoder = autoencoder.NewDecoder(c, g.config.Autoencoder)
	})
}

// resolved fills in the defaults and checks what was given.
func (o Options) resolved(c Config) (Options, error) {
	pixels := c.Autoencoder.Factor()
	setDefault(&o.Height, c.UNet.sampleSize()*pixels)
	setDefault(&o.Width, c.UNet.sampleSize()*pixels)
	setDefault(&o.Steps, 50)
	if o.Guidance == nil {
		o.Guidance = new(7.5)
	}
	for _, f := range []struct {
		name         string
		value, limit int
	}{{"Height", o.Height, 1 << 14}, {"Width", o.Width, 1 << 14}, {"Steps", o.Steps, c.Scheduler.TrainTimesteps - 1}} {
		if f.value < 1 || f.value > f.limit {
			return o, fmt.Errorf("%w: %s is %d, want 1 to %d", ErrOptions, f.name, f.value, f.limit)
		}
	}
	switch {
	case o.Height%pixels != 0 || o.Width%pixels != 0:
		return o, fmt.Errorf("%w: Height %d and Width %d must be multiples of %d", ErrOptions, o.Height, o.Width, pixels)
	case !(*o.Guidance >= 0 && *o.Guidance <= 1000):
		return o, fmt.Errorf("%w: Guidance is %v, want 0 to 1000", ErrOptions, *o.Guidance)
	}
	if err := o.Checkpoint.Validate(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return o, nil
}

func setDefault(field *int, value int) {
	if *field == 0 {
		*field = value
	}
}

// guided says whether there are two predictions for every picture.
func (g *Generator) guided() bool { return guidance.Wanted(*g.options.Guidance) }

// size is the height and width of the latents.
func (g *Generator) size() (height, width int) {
	pixels := g.config.Autoencoder.Factor()
	return g.options.Height / pixels, g.options.Width / pixels
}

// Encode returns CLIP's states of the prompt, float32 [1, words, width], and under
// guidance those of the negative prompt. What is longer than the encoder reads is
// cut, as in the pipeline. The latest prompts are remembered.
func (g *Generator) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	prompts := []string{prompt}
	if g.guided() {
		prompts = append(prompts, g.options.NegativePrompt)
	}
	var inputs dualprocess.Inputs
	for _, p := range prompts {
		states, err := g.encoder.encode(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("sd: %w", err)
		}
		inputs = append(inputs, states)
	}
	return inputs, nil
}

// Runtime is the one that the generator was opened with.
func (g *Generator) Runtime() *backends.Runtime { return g.runtime }

// Conditions are the shapes of what Encode returns.
func (g *Generator) Conditions() []shapes.Shape {
	states := shapes.Make(dtypes.Float32, 1, g.encoder.prompter.Length(), g.config.CLIP.Width)
	if g.guided() {
		return []shapes.Shape{states, states}
	}
	return []shapes.Shape{states}
}

// Release frees the text encoder's weights; an Encode of a new prompt loads them
// again.
func (g *Generator) Release() error {
	if err := g.encoder.release(); err != nil {
		return fmt.Errorf("sd: release: %w", err)
	}
	return nil
}

// Latents returns Gaussian noise, float32 [seeds, channels, height, width].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	height, width := g.size()
	return pipeline.Noise(seeds, g.config.UNet.InChannels, height, width), nil
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
	network := func(x *Node, cond []*Node) *Node {
		f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, x.Shape().Dim(0)*g.activations())
		return ConvertDType(g.unet.apply(f, ConvertDType(x, g.runtime.DType), times, cond[0]), dtypes.Float32)
	}
	x := TransposeAllAxes(latents, 0, 2, 3, 1)
	if g.guided() {
		x = guidance.Predict(*g.options.Guidance, x, cond[1:], cond[:1], network)
	} else {
		x = network(x, cond)
	}
	return TransposeAllAxes(x, 0, 3, 1, 2)
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
			seen := places + g.config.CLIP.Positions
			total += blocks * c.Layers * places * (40*channels*g.runtime.DType.Size() + 8*c.Heads.at(i)*seen)
		}
		height, width = (height+1)/2, (width+1)/2
	}
	return total
}

// Clean returns the predicted original latents.
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
	x := g.decoder.Apply(nn.Pass{}, ConvertDType(TransposeAllAxes(latents, 0, 2, 3, 1), g.runtime.DType))
	return ConvertDType(MulScalar(AddScalar(x, 1), 0.5), dtypes.Float32)
}

// Preset suggests the paper's targets: all attention, within the picture and to
// the text.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{Targets: []string{"to_k", "to_q", "to_v", "to_out.0"}}
}
