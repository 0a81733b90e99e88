package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/peak"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/lora"
)

// pictures is the kind of orders for a generator's pictures.
const pictures = "pictures"

// What can be changed between pictures.
const (
	anotherWeight  = "weight"
	anotherAdapter = "adapter" // that was never used before
)

// deviation of an adapter's B. A is drawn so that A·x is as large as x: what is added to a layer's output is about half as
// large as that, at the scale of 2.5.
const deviation = 0.05

// sampling makes pictures as users do, by a Sampler, with an adapter: one batch a run.
type sampling struct {
	runtime   *backends.Runtime
	generator generator.Generator
	sampler   *dualprocess.Sampler
	request   dualprocess.Request
	file      string // for the pictures of the first run; "" once they are there
	compiled  int    // programs, once the first run has ended
	changes   int
}

// newSampling opens a generator, writes an adapter's file, and hands PyTorch's side what it begins with.
func newSampling(ctx context.Context, rt *backends.Runtime, o order) (s *sampling, err error) {
	s = &sampling{runtime: rt, file: o.Pictures, request: dualprocess.Request{Prompt: prompt}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.generator, err = o.generator(ctx, rt, o.Side); err != nil {
		return s, err
	}
	for seed := range o.Batch {
		s.request.Seeds = append(s.request.Seeds, int64(seed))
	}
	if s.request.Adapter, err = newAdapter(rt, s.generator, lora.FanIn); err != nil {
		return s, err
	}
	if s.request.Adapter, err = filled(s.request.Adapter, 0); err != nil {
		return s, err
	}
	if err = s.hand(ctx, o); err != nil {
		return s, err
	}
	s.sampler, err = dualprocess.NewSampler(rt, s.generator, dualprocess.SamplerOptions{Batch: o.Batch})
	return s, err
}

// hand writes down what PyTorch's side needs.
func (s *sampling) hand(ctx context.Context, o order) error {
	h := &handed{about: map[string]any{}}
	if err := h.addInputs(ctx, s.generator, s.request.Seeds); err != nil {
		return err
	}
	if err := h.write(o.Inputs); err != nil {
		return err
	}
	if err := os.Remove(o.Pictures); err != nil && !errors.Is(err, os.ErrNotExist) { // of an earlier run
		return err
	}
	return s.request.Adapter.Save(o.Adapter, lora.SaveOptions{})
}

// filled returns the adapter with random numbers in place of its B, which are zero.
func filled(a *lora.Adapter, seed uint64) (*lora.Adapter, error) {
	random, params := rand.New(rand.NewPCG(seed, 1)), a.Params()
	for k := 1; k < len(params); k += 2 {
		err := tensors.MutableFlatData(params[k], func(values []float32) {
			for i := range values {
				values[i] = deviation * float32(random.NormFloat64())
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return a.WithParams(params)
}

// run makes a batch of pictures. Only the first one may compile.
func (s *sampling) run(ctx context.Context) (mean, square float64, err error) {
	images, err := s.sampler.Sample(ctx, s.request)
	if err != nil {
		return 0, 0, err
	}
	compiled := graphs.StatsOf(s.runtime).Compiled
	if s.compiled > 0 && compiled != s.compiled {
		return 0, 0, fmt.Errorf("%d programs were compiled for pictures after the first ones", compiled-s.compiled)
	}
	s.compiled = compiled
	if s.file != "" {
		if err := s.write(images); err != nil {
			return 0, 0, err
		}
		s.file = ""
	}
	mean, square = moments(images)
	return mean, square, nil
}

// write writes the pictures for PyTorch's side, which measures how far its own are from them.
func (s *sampling) write(images []image.Image) error {
	h := &handed{}
	return errors.Join(h.add("pictures", pixels.FromImages(images...)), h.write(s.file))
}

// moments are the mean of all values of pictures, in [0, 1], and the root of their mean square.
func moments(images []image.Image) (mean, square float64) {
	var count, sum, squares int
	for _, img := range images {
		for k, x := range img.(*image.NRGBA).Pix {
			if k%4 < 3 { // else it is the opacity
				count, sum, squares = count+1, sum+int(x), squares+int(x)*int(x)
			}
		}
	}
	return float64(sum) / float64(count) / 255, math.Sqrt(float64(squares)/float64(count)) / 255
}

// change takes another weight, or an adapter that is new to the sampler.
func (s *sampling) change(what string) (err error) {
	s.changes++
	switch what {
	case anotherWeight:
		s.request.Weight = new(weight * (1 + 1/float64(1+s.changes)))
	case anotherAdapter:
		s.request.Adapter, err = filled(s.request.Adapter, uint64(s.changes))
	default:
		err = fmt.Errorf("of pictures the %s and the %s can be changed, but not %q", anotherWeight, anotherAdapter, what)
	}
	return err
}

func (s *sampling) peak() int64 { return peak.Process() }

func (s *sampling) close() error {
	s.sampler.Close()
	var err error
	if s.generator != nil {
		err = s.generator.Close()
	}
	return errors.Join(err, s.runtime.Close())
}
