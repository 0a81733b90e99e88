package dualprocess

import (
	"context"
	"image"
	"math"
	"sync"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// SamplerOptions say how a Sampler works. The zero value makes one picture at once.
type SamplerOptions struct {
	// Batch is the number of pictures that are made at once on the device; 0 = 1. It is
	// what the programs are compiled for: fewer pictures take as long.
	Batch int

	// Prompts and Adapters are how many of those used last are kept: encoded prompts,
	// as large as what Encode returns, and adapters, at four bytes a number. 0 = 16 and
	// 8, or Batch if that is more; fewer than Batch are refused.
	Prompts, Adapters int

	// Separate keeps pictures of different adapters and weights in batches of their own.
	// All are then made by the program of Sample, bit for bit, whatever else waits.
	Separate bool
}

// Request says which pictures a Sampler shall make. Prompt must be given.
type Request struct {
	Prompt   string
	Seeds    []int64       // one picture each; nil = seed 0
	Adapter  *lora.Adapter // nil = the base model
	Weight   *float64      // of the adapter; nil = that of its training, new(0.0) is the base model
	Negative string        // what guidance leads away from, by a Guider; "" = what the generator's options say
}

// Sampler makes pictures of one generator, for all its adapters, with programs that
// are compiled once: whatever the prompt, the seeds, the weight and the numbers of the
// adapter. Only NewSampler makes one that is of use.
//
// Several goroutines may use a Sampler at once. Requests wait in one queue, and the
// first comes first: the pictures of a batch are those of the first request and, where
// there is room, of the next that go with it. All do if their adapters are equal;
// adapters that differ do if they have the same layers and ranks ([lora.Adapter.Shape])
// and each of these layers sees the batch as its leading axis, as all of attention
// does; so do the base model and other weights. They share a second program, which is
// compiled when it is first needed. Its rounding may differ, which moves a pixel by one of
// 255 levels at most in our tests; see Separate.
//
// Once the prompts of all that wait are encoded, a generator that is a Releaser frees
// its text encoders: pictures need the memory. A prompt that is not kept any more loads
// them again, unless the generator remembers it, which may take longer than the picture
// itself.
type Sampler struct {
	options  SamplerOptions // with every default filled in
	painter  *painter       // nil = not made by NewSampler; of serve alone, as are the next two
	prompts  *recent[reading, Inputs]
	adapters *recent[*lora.Adapter, *loaded]

	mu      sync.Mutex
	idle    *sync.Cond // serving has ended
	queue   []*order   // the first first
	serving bool       // a goroutine works on the queue
	closed  bool
}

// NewSampler returns a sampler of the generator. Nothing is compiled before the first
// picture. Close it after use. The error wraps ErrTask and names what is wrong:
// Runtime, Generator, or a field of the options.
func NewSampler(rt *backends.Runtime, g Generator, o SamplerOptions) (s *Sampler, err error) {
	defer named(&err)
	return newSampler(rt, g, o)
}

func newSampler(rt *backends.Runtime, g Generator, o SamplerOptions) (*Sampler, error) {
	setDefault(&o.Batch, 1)
	setDefault(&o.Prompts, max(16, o.Batch))
	setDefault(&o.Adapters, max(8, o.Batch))
	if err := firstError(
		checkSampler(rt, g, o.Batch),
		inRange("Prompts", float64(o.Prompts), float64(o.Batch), math.MaxInt32),
		inRange("Adapters", float64(o.Adapters), float64(o.Batch), math.MaxInt32),
	); err != nil {
		return nil, err
	}
	s := &Sampler{options: o, painter: newPainter(rt, g, o.Batch)}
	s.idle = sync.NewCond(&s.mu)
	s.prompts = newRecent[reading](o.Prompts, func(in Inputs) { graphs.Release(in...) })
	s.adapters = newRecent[*lora.Adapter](o.Adapters, (*loaded).release)
	return s, nil
}

// checkSampler checks what makes batches of pictures.
func checkSampler(rt *backends.Runtime, g Generator, batch int) error {
	return firstError(checkRuntime(rt), checkModel("Generator", rt, g), inRange("Batch", float64(batch), 1, mostBatch))
}

// Sample makes one picture per seed, of type *image.NRGBA. It returns as soon as the
// context ends; what is then being made for others goes on.
//
// Errors are those of the function Sample and concern this request alone, unless the
// device itself fails in a batch. They wrap ErrTask also for a Negative without
// guidance and for a Sampler that is closed, together with backends.ErrClosed, or was
// not made by NewSampler.
func (s *Sampler) Sample(ctx context.Context, r Request) (images []image.Image, err error) {
	defer named(&err)
	return s.sample(ctx, r)
}

func (s *Sampler) sample(ctx context.Context, r Request) ([]image.Image, error) {
	o, err := s.newOrder(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Seeds == nil {
		r.Seeds = []int64{0}
	}
	for _, seed := range r.Seeds {
		o.works = append(o.works, work{weight: o.weight, seed: seed})
	}
	return s.await(o)
}

// Render makes one picture per row of latents, float32 [n, ...] of step 0, which
// it leaves alone: latents of OptimizeLatents, for instance. The request's Seeds have
// no meaning. Errors are those of Sample; they wrap ErrTask also for latents that are
// nil, freed, or not of the generator's shape.
func (s *Sampler) Render(ctx context.Context, r Request, latents *tensors.Tensor) (images []image.Image, err error) {
	defer named(&err)
	o, err := s.newOrder(ctx, r)
	if err != nil {
		return nil, err
	}
	if !latents.Ok() {
		return nil, invalid("Latents", "must hold numbers: they are nil or were freed")
	}
	shape := latents.Shape()
	o.latents = &shape
	if flat, err := tensors.CopyFlatData[float32](latents); err == nil && shape.Rank() > 0 && len(flat) > 0 {
		for _, row := range rowsOf(flat, shape.Dimensions[0]) {
			o.works = append(o.works, work{weight: o.weight, latents: row})
		}
	} // else their shape is wrong, which is said once the right one is known
	return s.await(o)
}

// Close waits for the requests that wait, whose contexts may end that, and frees what
// the sampler holds on the device. A second call does the same.
func (s *Sampler) Close() {
	if s == nil || s.painter == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for s.serving {
		s.idle.Wait()
	}
	s.prompts.clear()
	s.adapters.clear()
	s.painter.close()
}
