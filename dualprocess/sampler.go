package dualprocess

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Sampler makes pictures with programs that are compiled once, whatever the
// prompt, the seeds and the weight of the adapter. It must not be used by several
// goroutines at once. Only NewSampler makes one that is of use.
//
// Once a prompt is encoded, a generator that is a Releaser frees its text encoders:
// pictures need the memory. Another prompt loads them again, unless the generator
// remembers it, which may take longer than the picture itself.
type Sampler struct {
	rt        *backends.Runtime // nil = closed, or not made by NewSampler
	generator Generator
	adapter   *lora.Adapter
	batch     int

	params   []*tensors.Tensor // of the adapter, on the device
	prompts  []string          // that conditions are of
	plan     *plan             // nil until the first prompt
	denoiser *denoiser
	decode   *graphs.Program
}

// NewSampler returns a sampler of the generator with an adapter (nil = the base
// model) that makes batch pictures at once (0 = 1). Nothing is compiled before the
// first picture. Close it after use. The error wraps ErrTask and names what is
// wrong: Runtime, Generator or Batch.
func NewSampler(rt *backends.Runtime, g Generator, a *lora.Adapter, batch int) (s *Sampler, err error) {
	defer named(&err)
	setDefault(&batch, 1)
	if err := checkSampler(rt, g, batch); err != nil {
		return nil, err
	}
	return newSampler(rt, g, a, batch), nil
}

// checkSampler checks what newSampler is given.
func checkSampler(rt *backends.Runtime, g Generator, batch int) error {
	return firstError(checkRuntime(rt), checkModel("Generator", rt, g), inRange("Batch", float64(batch), 1, mostBatch))
}

func newSampler(rt *backends.Runtime, g Generator, a *lora.Adapter, batch int) *Sampler {
	s := &Sampler{rt: rt, generator: g, adapter: a, batch: batch}
	if a != nil {
		s.params = a.Params()
	}
	s.denoiser = newDenoiser(rt, g, a, &conditions{})
	s.decode = newProgram(rt, "decode", formOf(), s.denoiser.decode, g)
	return s
}

// Sample makes one picture per seed, of type *image.NRGBA. The weight has no
// meaning without an adapter.
//
// Errors are those of the function Sample; they wrap ErrTask also for a Sampler
// that is closed or zero.
func (s *Sampler) Sample(ctx context.Context, prompt string, weight float64, seeds ...int64) (images []image.Image, err error) {
	defer named(&err)
	return s.sample(ctx, prompt, weight, seeds)
}

func (s *Sampler) sample(ctx context.Context, prompt string, weight float64, seeds []int64) ([]image.Image, error) {
	if err := s.check(ctx, weight); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, prompt); err != nil {
		return nil, err
	}
	if err := s.plan.checkBatch("Batch", s.rt, s.batch); err != nil {
		return nil, err
	}
	jobs := make([]job, len(seeds))
	for k, seed := range seeds {
		jobs[k] = job{seed: seed}
	}
	var images []image.Image
	err := eachBatch(jobs, s.batch, func(seeds []int64, rows []int32, used int) error {
		pictures, err := s.pictures(ctx, weight, seeds, rows)
		if err != nil {
			return err
		}
		defer graphs.Release(pictures)
		images, err = appendImages(images, pictures, used)
		return err
	})
	return images, err
}

// Render makes one picture per row of latents, float32 [n, ...] of step 0, which
// it leaves alone: latents of OptimizeLatents, for instance. Another n than before
// compiles once more. Errors are those of Sample; they wrap ErrTask also for
// latents that are nil, freed, or not of the generator's shape.
func (s *Sampler) Render(ctx context.Context, prompt string, weight float64, latents *tensors.Tensor) (images []image.Image, err error) {
	defer named(&err)
	if err := s.check(ctx, weight); err != nil {
		return nil, err
	}
	if !latents.Ok() {
		return nil, invalid("Latents", "must hold numbers: they are nil or were freed")
	}
	if err := s.prepare(ctx, prompt); err != nil {
		return nil, err
	}
	return s.render(ctx, weight, latents)
}

// render makes one picture per row of latents, for the first prompt prepared.
func (s *Sampler) render(ctx context.Context, weight float64, latents *tensors.Tensor) ([]image.Image, error) {
	pictures, err := s.fromLatents(ctx, weight, latents)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(pictures)
	return appendImages(nil, pictures, latents.Shape().Dimensions[0])
}

// check returns an error unless pictures can be made.
func (s *Sampler) check(ctx context.Context, weight float64) error {
	if s == nil || s.rt == nil {
		return invalid("Sampler", "is closed, or was not made by NewSampler")
	}
	return firstError(checkContext(ctx), checkRuntime(s.rt), isFinite("Weight", weight))
}

// prepare encodes the prompts, unless it has just done so, and frees the encoders.
func (s *Sampler) prepare(ctx context.Context, prompts ...string) error {
	if slices.Equal(prompts, s.prompts) {
		return nil
	}
	c, err := encode(ctx, s.generator, prompts)
	if err == nil && s.plan == nil {
		s.plan, err = s.trace(c)
	}
	if err == nil {
		err = freeEncoders(s.generator)
	}
	if err != nil {
		c.release()
		return err
	}
	s.denoiser.conditions.release()
	s.denoiser.conditions, s.prompts = c, prompts
	return nil
}

// trace returns the generator's plan if the adapter fits it.
func (s *Sampler) trace(c *conditions) (*plan, error) {
	p, err := trace(s.rt, s.generator, c.shapes())
	if err == nil && s.adapter != nil {
		err = invalidBecause("Adapter", s.adapter.Fits(p.layers))
	}
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// adapted is the sampler's adapter at a weight; nil is the base model.
func (s *Sampler) adapted(weight float64) *adapted {
	if s.adapter == nil {
		return nil
	}
	return &adapted{s.params, weight}
}

// pictures makes a batch of pictures, float32 [batch, height, width, 3], which
// stay on the device.
func (s *Sampler) pictures(ctx context.Context, weight float64, seeds []int64, rows []int32) (*tensors.Tensor, error) {
	clean, err := s.denoiser.fromSeeds(ctx, s.adapted(weight), seeds, rows, s.generator.Steps())
	if err != nil {
		return nil, err
	}
	return s.decoded(ctx, clean)
}

// fromLatents makes pictures of latents of step 0, which it leaves alone, for the
// first prompt prepared.
func (s *Sampler) fromLatents(ctx context.Context, weight float64, latents *tensors.Tensor) (*tensors.Tensor, error) {
	if err := s.plan.checkLatents(latents); err != nil {
		return nil, err
	}
	own, err := latents.LocalClone()
	if err != nil {
		return nil, fmt.Errorf("copy latents: %w", err)
	}
	rows := make([]int32, latents.Shape().Dimensions[0])
	clean, err := s.denoiser.denoise(ctx, s.adapted(weight), own, rows, s.generator.Steps())
	if err != nil {
		return nil, err
	}
	return s.decoded(ctx, clean)
}

// decoded makes pictures of clean latents, which it takes over.
func (s *Sampler) decoded(ctx context.Context, clean *tensors.Tensor) (*tensors.Tensor, error) {
	defer graphs.Release(clean)
	out, err := s.decode.Run(ctx, clean)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Close frees what the sampler holds on the device. A second call does nothing.
func (s *Sampler) Close() {
	if s == nil || s.rt == nil {
		return
	}
	graphs.Release(s.params...)
	s.denoiser.conditions.release()
	s.rt = nil
}
