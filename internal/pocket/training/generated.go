package training

import (
	"context"
	"fmt"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// picturePool holds pictures that the generator made, with the scenes that they
// show as far as that is known.
type picturePool struct {
	scenes   []world.Scene
	pictures []*world.Picture
}

func (p *picturePool) pick(rng *rand.Rand) (world.Scene, *world.Picture) {
	i := rng.IntN(len(p.pictures))
	return p.scenes[i], p.pictures[i]
}

// newPicturePool fills a pool with n clean estimates: scenes of the broad world
// are encoded, moved towards noise, and estimated back by the generator in one
// step, as the verifier will see them in a distillation. Up to half-way to noise
// an estimate still shows its scene. Above that only landscapes are kept, with
// the horizon measured anew on the picture.
func newPicturePool(ctx context.Context, rt *backends.Runtime, c *codec, f *flow, n int, seed uint64) (*picturePool, error) {
	exec, err := model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		pixels, noise, sigma, ids := in[0], in[1], in[2], in[3]
		s := Reshape(sigma, -1, 1, 1, 1)
		z := Add(Mul(OneMinus(s), c.normalized(pixels)), Mul(s, noise))
		z = Sub(z, Mul(s, f.transformer.Apply(nn.Pass{}, z, sigma, ids)))
		return []*Node{ClipScalar(c.decoder.Apply(nn.Pass{}, z), 0, 1)}
	})
	if err != nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	pool := &picturePool{}
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

// estimate adds a chunk of clean estimates.
func (p *picturePool) estimate(exec *model.Exec, f *flow, rng *rand.Rand, chunk int) error {
	t := f.config.Transformer
	var list []world.Scene
	var pixels, noise, sigma []float32
	var ids []int32
	for range chunk {
		s := world.RandomScene(rng, world.Broad)
		words, err := f.words.caption(s.Caption(), t.MaxWords)
		if err != nil {
			return err
		}
		level := 0.05 + 0.45*rng.Float64()
		if s.Family == world.Landscape && rng.IntN(2) == 0 {
			level = 0.5 + 0.5*rng.Float64()
		}
		list, sigma, ids = append(list, s), append(sigma, float32(level)), append(ids, words...)
		pixels = append(pixels, s.Draw(pictureSize).Pix...)
		for range t.SampleSize * t.SampleSize * t.InChannels {
			noise = append(noise, float32(rng.NormFloat64()))
		}
	}
	out, err := exec.Call1(floats(pixels, chunk, pictureSize, pictureSize, 3),
		floats(noise, chunk, t.SampleSize, t.SampleSize, t.InChannels), floats(sigma, chunk),
		tensors.FromFlatDataAndDimensions(ids, chunk, t.MaxWords))
	if err != nil {
		return fmt.Errorf("training: %w", err)
	}
	defer out.FinalizeAll()
	data := tensors.MustCopyFlatData[float32](out)
	const size = pictureSize * pictureSize * 3
	for i, s := range list {
		picture := &world.Picture{Size: pictureSize, Pix: data[i*size : (i+1)*size : (i+1)*size]}
		if s.Family == world.Landscape && sigma[i] > 0.35 {
			row, confidence := measuring.Horizon(picture)
			if confidence < clearHorizon {
				continue
			}
			s.Horizon = row
		}
		p.scenes, p.pictures = append(p.scenes, s), append(p.pictures, picture)
	}
	return nil
}
