package training

import (
	"context"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/diffusion"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// flow is the generator in training: a rectified flow on pre-encoded latents.
type flow struct {
	config      diffusion.Config
	transformer *diffusion.Transformer
	source      *initial
	words       *vocabulary
	pool        latentPool
}

// latentPool holds encoded scenes of the narrow world.
type latentPool struct {
	latents []float32 // [n, H·W·C], normalised
	ids     []int32   // [n, MaxWords]
	size    int       // of one scene's latents
}

func (p latentPool) count() int { return len(p.latents) / p.size }

func newFlow(rt *backends.Runtime, seed uint64) (*flow, error) {
	words := captionVocabulary()
	cfg := diffusion.DefaultConfig(len(words.words))
	source := &initial{store: rt.Store, root: "/transformer", seed: seed}
	c := weights.NewCursor(source)
	return &flow{config: cfg, transformer: diffusion.NewTransformer(c, cfg.Transformer), source: source, words: words}, c.Err()
}

// palettedShare of the pictures are in the colours of a palette, which their captions say.
const palettedShare = .12

// fill encodes n scenes of the narrow world into the pool.
func (f *flow) fill(ctx context.Context, codec *codec, n int, seed uint64) error {
	t := f.config.Transformer
	f.pool.size = t.SampleSize * t.SampleSize * t.InChannels
	const chunk = 100
	for start := 0; start < n; start += chunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(seed, uint64(start)))
		var pixels []float32
		for range chunk {
			s := world.RandomScene(rng, world.Narrow)
			if rng.Float64() < palettedShare {
				s.Palette, s.Grade = world.PaletteNames[rng.IntN(len(world.PaletteNames))], .85+.15*rng.Float64()
			}
			ids, err := f.words.caption(s.Caption(), t.MaxWords)
			if err != nil {
				return err
			}
			f.pool.ids = append(f.pool.ids, ids...)
			pixels = append(pixels, s.Draw(pictureSize).Pix...)
		}
		latents, err := codec.encode(pixels)
		if err != nil {
			return err
		}
		f.pool.latents = append(f.pool.latents, latents...)
	}
	return nil
}

// drawBatch takes scenes from the pool with noise and noise levels: mostly
// around the middle, a tenth near pure noise, where a sampler starts.
func (f *flow) drawBatch(p plan, step int) []*tensors.Tensor {
	rng := rand.New(rand.NewPCG(p.seed, uint64(step)))
	t := f.config.Transformer
	var latents, noise, sigma []float32
	var ids []int32
	for range p.batch {
		i := rng.IntN(f.pool.count())
		latents = append(latents, f.pool.latents[i*f.pool.size:(i+1)*f.pool.size]...)
		ids = append(ids, f.pool.ids[i*t.MaxWords:(i+1)*t.MaxWords]...)
		for range f.pool.size {
			noise = append(noise, float32(rng.NormFloat64()))
		}
		s := 1 / (1 + math.Exp(-(0.3 + 1.1*rng.NormFloat64())))
		if rng.Float64() < 0.1 {
			s = 0.97 + 0.03*rng.Float64()
		}
		sigma = append(sigma, float32(s))
	}
	return []*tensors.Tensor{
		floats(latents, p.batch, t.SampleSize, t.SampleSize, t.InChannels),
		floats(noise, p.batch, t.SampleSize, t.SampleSize, t.InChannels),
		floats(sigma, p.batch),
		tensors.FromFlatDataAndDimensions(ids, p.batch, t.MaxWords),
	}
}

// loss is the mean squared error of the velocity ε - z₀ at z = (1-σ)z₀ + σε.
func (f *flow) loss(batch []*Node) (*Node, []*Node) {
	clean, noise, sigma, ids := batch[0], batch[1], batch[2], batch[3]
	s := Reshape(sigma, -1, 1, 1, 1)
	latents := Add(Mul(OneMinus(s), clean), Mul(s, noise))
	velocity := f.transformer.Apply(nn.Pass{}, latents, sigma, ids)
	return ReduceAllMean(Square(Sub(velocity, Sub(noise, clean)))), nil
}
