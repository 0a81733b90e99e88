package dualprocess

import (
	"context"
	"image"
	"sync/atomic"

	"github.com/gomlx/compute/shapes"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// reading is what conditions are made of.
type reading struct{ prompt, negative string }

// order is a Request in the queue of a Sampler.
type order struct {
	ctx     context.Context
	reading reading
	adapter *lora.Adapter
	shape   string // of the adapter; "" without
	weight  float64
	latents *shapes.Shape // of all works, where they are given

	works   []work // without conditions and adapter
	begun   int    // works
	checked bool   // against the generator
	images  []image.Image
	err     error
	done    chan struct{} // closed when images or err are there
}

// newOrder checks a request.
func (s *Sampler) newOrder(ctx context.Context, r Request) (*order, error) {
	if s == nil || s.painter == nil {
		return nil, invalid("Sampler", "was not made by NewSampler")
	}
	o := &order{ctx: ctx, reading: reading{r.Prompt, r.Negative}, adapter: r.Adapter, done: make(chan struct{})}
	switch {
	case r.Weight != nil:
		o.weight = *r.Weight
	case r.Adapter != nil:
		o.weight = r.Adapter.Weight()
	}
	if err := firstError(checkContext(ctx), isFinite("Weight", o.weight), s.checkNegative(r.Negative)); err != nil {
		return nil, err
	}
	if r.Adapter == nil {
		o.weight = 0
	} else {
		o.shape = r.Adapter.Shape()
	}
	return o, ctx.Err()
}

// checkNegative checks that a negative prompt has a meaning.
func (s *Sampler) checkNegative(negative string) error {
	if negative == "" {
		return nil
	}
	g, ok := s.painter.generator.(Guider)
	if !ok {
		return invalid("Negative", "the generator %T has no negative prompt", s.painter.generator)
	}
	if !g.Guides() {
		return invalid("Negative", "the generator's guidance is off")
	}
	return nil
}

// guided is a Guider with a negative prompt.
type guided struct {
	Guider
	negative string
}

func (g guided) Encode(ctx context.Context, prompt string) (Inputs, error) {
	return g.EncodeGuided(ctx, prompt, g.negative)
}

// await waits in the queue until the pictures are there or the context ends.
func (s *Sampler) await(o *order) ([]image.Image, error) {
	if err := s.enqueue(o); err != nil {
		return nil, err
	}
	select {
	case <-o.done:
		return o.images, o.err
	case <-o.ctx.Done():
		return nil, o.ctx.Err()
	}
}

func (s *Sampler) enqueue(o *order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return invalidBecause("Sampler", backends.ErrClosed)
	}
	if err := checkRuntime(s.painter.rt); err != nil {
		return err
	}
	s.queue = append(s.queue, o)
	if !s.serving {
		s.serving = true
		go s.serve()
	}
	return nil
}

// finish answers the order, once.
func (o *order) finish(err error) {
	if o.answered() {
		return
	}
	if o.err = err; err != nil {
		o.images = nil
	}
	close(o.done)
}

func (o *order) answered() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// over says that nobody waits for the order.
func (o *order) over() bool { return o.answered() || o.ctx.Err() != nil }

// add takes the next picture, unless the order is answered.
func (o *order) add(img image.Image, err error) {
	switch {
	case err != nil:
		o.finish(err)
	case !o.answered():
		if o.images = append(o.images, img); len(o.images) == len(o.works) {
			o.finish(nil)
		}
	}
}

// shared returns a context with the values of the first order's that ends when nobody
// waits for any of the orders.
func shared(orders []*order) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(orders[0].ctx))
	var waiting atomic.Int64
	waiting.Store(int64(len(orders)))
	stops := make([]func() bool, len(orders))
	for k, o := range orders {
		stops[k] = context.AfterFunc(o.ctx, func() {
			if waiting.Add(-1) == 0 {
				cancel()
			}
		})
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
