// Package flux is the text-to-image generator FLUX.1 (Black Forest Labs, 2024):
// schnell, which paints in one to four steps, and dev, which is distilled for
// guidance and takes 28. It loads folders in diffusers' layout and does what
// diffusers' FluxPipeline does.
//
// Latents are packed as in the pipeline: [batch, tokens, channels], a token being
// a square of 2x2 latents, 16x16 pixels.
package flux

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
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/lora"
)

// ErrOptions says that the options make no sense, or not for this checkpoint; the
// error names the field.
var ErrOptions = errors.New("invalid options")

// Options of Open. The zero value suits the checkpoint.
type Options struct {
	// Height and Width of the pictures in pixels, multiples of 16. 0 = 512.
	Height, Width int
	// Steps from noise to picture. 0 = 28, or 1 for schnell.
	Steps int
	// Guidance that dev is told, at least 0; nil = 3.5. Schnell has none.
	Guidance *float64
	// TextTokens is the length that T5's prompts are cut or padded to. 0 = 512,
	// as in the pipeline.
	TextTokens int
	// StaticShift shifts the noise levels of dev by the scheduler's fixed shift
	// and not by the size of the picture, as the paper's reference does in
	// training.
	StaticShift bool
	// Checkpoint says whether the activations of every block are recomputed in the
	// backward pass.
	Checkpoint backends.Checkpointing
}

// Generator is FLUX.1 on a runtime.
type Generator struct {
	config      Config
	options     Options // with every default filled in
	runtime     *backends.Runtime
	encoders    *encoders
	transformer *transformer
	decoder     *autoencoder.Decoder
	schedule    schedule
	rows, cols  int // of tokens
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
		return nil, fmt.Errorf("flux: open %s: %w", folder, err)
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
	g.config.Scheduler.Dynamic = g.config.Scheduler.Dynamic && !o.StaticShift
	g.rows, g.cols = g.options.Height/g.pixels(), g.options.Width/g.pixels()
	g.schedule = newSchedule(g.config.Scheduler, g.options.Steps, g.rows*g.cols)

	root := weights.Root(rt.Store, "/generator")
	if err := g.load(ctx, fsys, root); err != nil {
		return nil, errors.Join(err, rt.Store.DeleteVariablesInScope(root))
	}
	return g, nil
}

func (g *Generator) load(ctx context.Context, fsys fs.FS, root string) (err error) {
	store := g.runtime.Store
	if g.encoders, err = newEncoders(g.runtime, fsys, g.config, root, g.options.TextTokens); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := weights.LoadTo(g.runtime.Backend, fsys, "transformer", store, root+"/transformer", nil, func(c weights.Cursor) {
		g.transformer = newTransformer(c, g.config.Transformer)
	}); err != nil {
		return err
	}
	return weights.LoadTo(g.runtime.Backend, fsys, "vae", store, root+"/vae", autoencoder.EncoderSurplus, func(c weights.Cursor) {
		g.decoder = autoencoder.NewDecoder(c, g.config.Autoencoder)
	})
}

// resolved fills in the defaults and checks what was given.
func (o Options) resolved(c Config) (Options, error) {
	setDefault(&o.Height, 512)
	setDefault(&o.Width, 512)
	setDefault(&o.TextTokens, 512)
	pixels := 2 * c.Autoencoder.Factor()
	switch {
	case c.Transformer.Guidance:
		setDefault(&o.Steps, 28)
		if o.Guidance == nil {
			o.Guidance = new(3.5)
		}
	case o.Guidance != nil:
		return o, fmt.Errorf("%w: Guidance is given, but the checkpoint takes none", ErrOptions)
	default:
		setDefault(&o.Steps, 1)
	}
	for _, f := range []struct {
		name         string
		value, limit int
	}{{"Height", o.Height, 1 << 14}, {"Width", o.Width, 1 << 14}, {"Steps", o.Steps, 1000}, {"TextTokens", o.TextTokens, 1 << 14}} {
		if f.value < 1 || f.value > f.limit {
			return o, fmt.Errorf("%w: %s is %d, want 1 to %d", ErrOptions, f.name, f.value, f.limit)
		}
	}
	switch {
	case o.Height%pixels != 0 || o.Width%pixels != 0:
		return o, fmt.Errorf("%w: Height %d and Width %d must be multiples of %d", ErrOptions, o.Height, o.Width, pixels)
	case o.Guidance != nil && !(*o.Guidance >= 0 && *o.Guidance <= 1000):
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

// pixels is the side of a token's square.
func (g *Generator) pixels() int { return 2 * g.config.Autoencoder.Factor() }

// activations estimates the bytes that the backward pass of one picture keeps
// without checkpointing: per block some 30 vectors for each token, and the
// attention's weights in float32 twice.
func (g *Generator) activations() int {
	c := g.config.Transformer
	tokens := g.rows*g.cols + g.options.TextTokens
	return (c.Layers + c.SingleLayers) * (30*tokens*c.Width()*g.runtime.DType.Size() + 8*c.Heads*tokens*tokens)
}

// Encode returns T5's states of the prompt, float32 [1, TextTokens, width], and
// the pooled ones of CLIP, [1, width]. What is longer than an encoder reads is
// cut, as in the pipeline. The latest prompts are remembered.
func (g *Generator) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	inputs, err := g.encoders.encode(ctx, prompt)
	if err != nil {
		return nil, fmt.Errorf("flux: %w", err)
	}
	return inputs, nil
}

// Runtime is the one that the generator was opened with.
func (g *Generator) Runtime() *backends.Runtime { return g.runtime }

// Conditions are the shapes of what Encode returns.
func (g *Generator) Conditions() []shapes.Shape {
	return []shapes.Shape{
		shapes.Make(dtypes.Float32, 1, g.encoders.t5Words.Length(), g.config.T5.Width),
		shapes.Make(dtypes.Float32, 1, g.config.CLIP.Width),
	}
}

// Release frees the text encoders' weights; an Encode of a new prompt loads them
// again.
func (g *Generator) Release() error {
	if err := g.encoders.release(); err != nil {
		return fmt.Errorf("flux: release: %w", err)
	}
	return nil
}

// Latents returns Gaussian noise, float32 [seeds, tokens, channels].
func (g *Generator) Latents(seeds ...int64) (*tensors.Tensor, error) {
	tokens, channels := g.rows*g.cols, g.config.Transformer.InChannels
	return pipeline.Noise(seeds, tokens, channels), nil
}

// Steps is the number of denoising steps.
func (g *Generator) Steps() int { return g.options.Steps }

// Levels is the number of noise levels that the model was trained on.
func (g *Generator) Levels() int { return g.config.Scheduler.TrainTimesteps }

// Predict returns the velocity.
func (g *Generator) Predict(d *lora.Delta, latents, i *Node, cond []*Node) *Node {
	return g.predict(nn.Pass{Delta: d}, latents, pipeline.At(g.schedule.times, i), cond)
}

// predict is Predict at a time from 0 to 1000, a float32 scalar.
func (g *Generator) predict(f nn.Pass, latents, time *Node, cond []*Node) *Node {
	f.Checkpoint = g.runtime.Checkpoints(g.options.Checkpoint, latents.Shape().Dim(0)*g.activations())
	return ConvertDType(g.transformer.apply(f, g.inputs(latents, time, cond)), dtypes.Float32)
}

func (g *Generator) inputs(latents, time *Node, cond []*Node) inputs {
	in := inputs{
		latents: ConvertDType(latents, g.runtime.DType),
		text:    cond[0], pooled: cond[1],
		time:   Reshape(time, 1),
		rotary: g.rotary(cond[0].Shape().Dim(1)),
	}
	if g.options.Guidance != nil {
		in.guidance = Const(latents.Graph(), []float32{float32(*g.options.Guidance) * 1000})
	}
	return in
}

// rotary is the table for words, which are all at the origin, and then the tokens
// of the picture, at their row and column.
func (g *Generator) rotary(words int) nn.RotaryTable {
	const theta = 10000
	positions := make([][]float64, words, words+g.rows*g.cols)
	for i := range positions {
		positions[i] = make([]float64, 3)
	}
	for row := range g.rows {
		for col := range g.cols {
			positions = append(positions, []float64{0, float64(row), float64(col)})
		}
	}
	return nn.NewRotaryTable(positions, g.config.Transformer.Axes, theta)
}

// Clean returns x - σᵢ·v.
func (g *Generator) Clean(latents, prediction, i *Node) *Node {
	return Sub(latents, Mul(pipeline.At(g.schedule.sigmas, i), prediction))
}

// Step returns the latents of step i+1 by Euler's rule.
func (g *Generator) Step(latents, prediction, i *Node) *Node {
	change := Sub(pipeline.At(g.schedule.next, i), pipeline.At(g.schedule.sigmas, i))
	return Add(latents, Mul(change, prediction))
}

// Noise returns the latents of step i on the straight line from clean to noise.
func (g *Generator) Noise(clean, noise, i *Node) *Node {
	sigma := pipeline.At(g.schedule.sigmas, i)
	return Add(Mul(OneMinus(sigma), clean), Mul(sigma, noise))
}

// Decode draws the pictures, [batch, height, width, 3].
func (g *Generator) Decode(latents *Node) *Node {
	x := g.decoder.Apply(nn.Pass{}, ConvertDType(g.unpack(latents), g.runtime.DType))
	return ConvertDType(MulScalar(AddScalar(x, 1), 0.5), dtypes.Float32)
}

// unpack maps tokens [B, L, C·2·2] to latents [B, H, W, C].
func (g *Generator) unpack(tokens *Node) *Node {
	batch, channels := tokens.Shape().Dim(0), g.config.Autoencoder.LatentChannels
	x := Reshape(tokens, batch, g.rows, g.cols, channels, 2, 2)
	x = TransposeAllAxes(x, 0, 1, 4, 2, 5, 3)
	return Reshape(x, batch, 2*g.rows, 2*g.cols, channels)
}

// Preset suggests the paper's targets: attention and feed-forward layers of the
// double blocks, queries, keys and values of the single ones.
func (g *Generator) Preset() dualprocess.Preset {
	return dualprocess.Preset{Targets: []string{
		"attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
		"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
		"ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2",
	}}
}
