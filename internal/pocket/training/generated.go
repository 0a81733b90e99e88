package training

import (
	"context"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/teaching"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// picturePool holds pictures that the generator made, with the scenes that they
// show as far as that is known.
type picturePool struct {
	scenes   []world.Scene
	pictures []*world.Picture
	faint    bool // landscapes are kept whose horizon can hardly be seen
}

func (p *picturePool) pick(rng *rand.Rand) (world.Scene, *world.Picture) {
	i := rng.IntN(len(p.pictures))
	return p.scenes[i], p.pictures[i]
}

// newPicturePool fills a pool with n clean estimates: scenes of the broad world
// are encoded, moved towards noise, and estimated back by the generator in one
// step, as the verifier will see them in a distillation. Up to half-way to noise
// an estimate still shows its scene. Above that only landscapes are kept, with
// the horizon measured anew on the picture; where it is too faint for that it is gone to
// that degree, or the picture is left out unless those are wanted.
func newPicturePool(ctx context.Context, rt *backends.Runtime, c *codec, f *flow, n int, seed uint64, faint bool) (*picturePool, error) {
	exec, err := graphs.NewExecutor(rt, func(in []*Node) []*Node {
		pixels, noise, sigma, ids := in[0], in[1], in[2], in[3]
		s := Reshape(sigma, -1, 1, 1, 1)
		z := Add(Mul(OneMinus(s), c.normalized(pixels)), Mul(s, noise))
		z = Sub(z, Mul(s, f.transformer.Apply(nn.Pass{}, z, sigma, ids)))
		return []*Node{ClipScalar(c.decoder.Apply(nn.Pass{}, z), 0, 1)}
	})
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	pool := &picturePool{faint: faint}
	const chunk = 100
	for start := 0; start < n; start += chunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rng := rand.New(rand.NewPCG(seed, uint64(start)))
		if err := pool.estimate(exec, f, rng, chunk); err != nil {
			return nil, err
		}
	}
	return pool, nil
}

// clearHorizon is the confidence from which a measured horizon is believed.
const clearHorizon = 0.5

// sketches are scenes on their way to clean estimates.
type sketches struct {
	scenes               []world.Scene
	pixels, noise, sigma []float32
	ids                  []int32
}

// sketch draws n scenes of the broad world with noise and noise levels.
func (f *flow) sketch(rng *rand.Rand, n int) (sketches, error) {
	t := f.config.Transformer
	var k sketches
	for range n {
		s := world.RandomScene(rng, world.Broad)
		if rng.Float64() < composedShare {
			s = teaching.Composed(rng, world.Broad)
		}
		words, err := f.words.caption(s.Caption(), t.MaxWords)
		if err != nil {
			return k, err
		}
		level := 0.05 + 0.45*rng.Float64()
		if s.Grade > 0 || s.Field != (world.Box{}) { // the generator pulls to colours and places that it knows
			level /= 2
		}
		if s.Family == world.Landscape && s.Grade == 0 && s.Field == (world.Box{}) && rng.IntN(2) == 0 {
			level = 0.5 + 0.5*rng.Float64()
		}
		k.scenes, k.sigma, k.ids = append(k.scenes, s), append(k.sigma, float32(level)), append(k.ids, words...)
		k.pixels = append(k.pixels, s.Draw(pictureSize).Pix...)
		for range t.SampleSize * t.SampleSize * t.InChannels {
			k.noise = append(k.noise, float32(rng.NormFloat64()))
		}
	}
	return k, nil
}

// estimate adds a chunk of clean estimates.
func (p *picturePool) estimate(exec *model.Exec, f *flow, rng *rand.Rand, chunk int) error {
	t := f.config.Transformer
	k, err := f.sketch(rng, chunk)
	if err != nil {
		return err
	}
	out, err := exec.Call1(floats(k.pixels, chunk, pictureSize, pictureSize, 3),
		floats(k.noise, chunk, t.SampleSize, t.SampleSize, t.InChannels), floats(k.sigma, chunk),
		tensors.FromFlatDataAndDimensions(k.ids, chunk, t.MaxWords))
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	defer out.FinalizeAll()
	data := tensors.MustCopyFlatData[float32](out)
	const size = pictureSize * pictureSize * 3
	for i, s := range k.scenes {
		picture := &world.Picture{Size: pictureSize, Pix: data[i*size : (i+1)*size : (i+1)*size]}
		if s.Family == world.Landscape && k.sigma[i] > 0.35 {
			row, confidence := measuring.Horizon(picture)
			if confidence < clearHorizon {
				if !p.faint {
					continue
				}
				s.Gone, s.Fade = world.Subject, 1-confidence/clearHorizon
			}
			s.Horizon = row
		}
		p.scenes, p.pictures = append(p.scenes, s), append(p.pictures, picture)
	}
	return nil
}
