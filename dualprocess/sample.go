package dualprocess

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// SampleOptions say how pictures are made. The zero value makes one picture of
// seed 0 by the base model.
type SampleOptions struct {
	Adapter *lora.Adapter // nil = the base model
	Weight  *float64      // of the adapter; nil = that of its training, new(0.0) is the base model
	Seeds   []int64       // one picture each; nil = seed 0
	Batch   int           // pictures at once on the device; 0 = 1
}

// Sample makes one picture per seed from a prompt, in all the generator's steps.
// The pictures are of type *image.NRGBA, clamped to 8 bits.
//
// It compiles the generator at every call: to make pictures again and again, keep
// a Sampler.
func Sample(ctx context.Context, rt *backends.Runtime, g Generator, prompt string, o SampleOptions) ([]image.Image, error) {
	s, err := NewSampler(rt, g, o.Adapter, o.Batch)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	weight := 0.0
	switch {
	case o.Weight != nil:
		weight = *o.Weight
	case o.Adapter != nil:
		weight = o.Adapter.Weight()
	}
	if o.Seeds == nil {
		o.Seeds = []int64{0}
	}
	return s.Sample(ctx, prompt, weight, o.Seeds...)
}

// Sampler makes pictures with programs that are compiled once, whatever the
// prompt, the seeds and the weight of the adapter. It must not be used by several
// goroutines at once.
type Sampler struct {
	rt        *backends.Runtime
	generator Generator
	adapter   *lora.Adapter
	batch     int

	params   []*tensors.Tensor // of the adapter, on the device
	prompts  []string          // that conditions are of
	plan     *plan             // nil until the first prompt
	denoiser *denoiser
	decode   *program
}

// NewSampler returns a sampler of the generator with an adapter (nil = the base
// model) that makes batch pictures at once (0 = 1). Nothing is compiled before the
// first picture. Close it after use.
func NewSampler(rt *backends.Runtime, g Generator, a *lora.Adapter, batch int) (*Sampler, error) {
	switch {
	case rt == nil || rt.Backend == nil:
		return nil, invalid("Runtime", "must be an open runtime")
	case g == nil:
		return nil, invalid("Generator", "must be given")
	}
	setDefault(&batch, 1)
	if err := inRange("Batch", float64(batch), 1, math.MaxInt32); err != nil {
		return nil, err
	}
	s := &Sampler{rt: rt, generator: g, adapter: a, batch: batch}
	if a != nil {
		s.params = a.Params()
	}
	var err error
	if s.denoiser, err = newDenoiser(rt, g, a, &conditions{}); err != nil {
		return nil, err
	}
	s.decode, err = newProgram(rt, "decode", s.denoiser.decode)
	return s, err
}

// Sample makes one picture per seed, of type *image.NRGBA. The weight has no
// meaning without an adapter.
func (s *Sampler) Sample(ctx context.Context, prompt string, weight float64, seeds ...int64) ([]image.Image, error) {
	if err := s.prepare(ctx, []string{prompt}); err != nil {
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
		defer release(pictures)
		images, err = appendImages(images, pictures, used)
		return err
	})
	return images, err
}

// Render makes one picture per row of latents, float32 [n, ...] of step 0, which
// it leaves alone: latents of OptimizeLatents, for instance. Another n than before
// compiles once more.
func (s *Sampler) Render(ctx context.Context, prompt string, weight float64, latents *tensors.Tensor) ([]image.Image, error) {
	if err := s.prepare(ctx, []string{prompt}); err != nil {
		return nil, err
	}
	pictures, err := s.fromLatents(ctx, weight, latents)
	if err != nil {
		return nil, err
	}
	defer release(pictures)
	return appendImages(nil, pictures, latents.Shape().Dimensions[0])
}

// fromLatents makes pictures of latents of step 0, which it leaves alone, for the
// first prompt prepared.
func (s *Sampler) fromLatents(ctx context.Context, weight float64, latents *tensors.Tensor) (*tensors.Tensor, error) {
	own, err := latents.LocalClone()
	if err != nil {
		return nil, fmt.Errorf("dualprocess: copy latents: %w", err)
	}
	rows := make([]int32, latents.Shape().Dimensions[0])
	clean, err := s.denoiser.denoise(ctx, s.adapted(weight), own, rows, s.generator.Steps())
	if err != nil {
		return nil, err
	}
	return s.decoded(ctx, clean)
}

// prepare encodes the prompts, unless it has just done so.
func (s *Sampler) prepare(ctx context.Context, prompts []string) error {
	if slices.Equal(prompts, s.prompts) {
		return nil
	}
	c, err := encode(ctx, s.generator, prompts)
	if err != nil {
		return err
	}
	if s.plan == nil {
		p, err := trace(s.rt, s.generator, c)
		if err == nil && s.adapter != nil {
			err = fits("Adapter", s.adapter, p.layers)
		}
		if err != nil {
			c.release()
			return err
		}
		s.plan = &p
	}
	s.denoiser.conditions.release()
	s.denoiser.conditions, s.prompts = c, prompts
	return nil
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

// decoded makes pictures of clean latents, which it takes over.
func (s *Sampler) decoded(ctx context.Context, clean *tensors.Tensor) (*tensors.Tensor, error) {
	defer release(clean)
	out, err := s.decode.run(ctx, clean)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Close frees what the sampler holds on the device.
func (s *Sampler) Close() {
	release(s.params...)
	s.denoiser.conditions.release()
	s.denoiser.close()
	s.decode.close()
}

// appendImages copies the first pictures of a batch to the host.
func appendImages(images []image.Image, pictures *tensors.Tensor, used int) ([]image.Image, error) {
	made, err := toImages(pictures, used)
	for _, img := range made {
		images = append(images, img)
	}
	return images, err
}
