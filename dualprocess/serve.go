package dualprocess

import (
	"image"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// serve works on the queue until nobody waits.
func (s *Sampler) serve() {
	for {
		orders := s.waiting()
		if orders == nil {
			return
		}
		s.advance(orders)
	}
}

// waiting returns the orders that wait. If there are none, serving has ended.
func (s *Sampler) waiting() []*order {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = slices.DeleteFunc(s.queue, (*order).over)
	if len(s.queue) == 0 {
		s.queue, s.serving = nil, false
		s.idle.Broadcast()
		return nil
	}
	return slices.Clone(s.queue)
}

// fail answers all orders that are not answered.
func fail(orders []*order, err error) {
	for _, o := range orders {
		o.finish(err)
	}
}

// advance encodes what is to be encoded and makes one batch of pictures.
func (s *Sampler) advance(orders []*order) {
	done, err := hold(s.painter.rt)
	if err != nil {
		fail(orders, err)
		return
	}
	defer done()
	if batch := s.nextBatch(s.ready(orders)); len(batch) > 0 {
		s.paint(batch)
	}
}

// ready returns the first orders, as many as have prompts that can be kept together,
// encoded. Those of which something is wrong are answered.
func (s *Sampler) ready(orders []*order) []*order {
	front, fresh := s.front(orders), false
	for _, o := range front {
		if _, known := s.prompts.get(o.reading); known {
			continue
		}
		fresh = true
		in, err := try(func() (Inputs, error) { return s.encode(o) })
		if err != nil {
			o.finish(err)
			continue
		}
		s.prompts.put(o.reading, in)
	}
	if fresh {
		if _, err := try(func() (any, error) { return nil, freeEncoders(s.painter.generator) }); err != nil {
			fail(front, err)
		}
	}
	return slices.DeleteFunc(slices.Clone(front), func(o *order) bool {
		if !o.over() {
			o.check(s.painter)
		}
		return o.over()
	})
}

// front returns the first orders, as many as have prompts that can be kept together.
// What is kept of them already is used, so that it does not make room for others.
func (s *Sampler) front(orders []*order) []*order {
	seen := map[reading]bool{}
	for k, o := range orders {
		if seen[o.reading] = true; len(seen) > s.options.Prompts {
			return orders[:k]
		}
		s.prompts.get(o.reading)
	}
	return orders
}

// encode returns the conditions of an order.
func (s *Sampler) encode(o *order) (Inputs, error) {
	g := s.painter.generator
	if o.reading.negative != "" {
		g = guided{g.(Guider), o.reading.negative}
	}
	c, err := encode(o.ctx, g, []string{o.reading.prompt})
	if err == nil {
		err = s.painter.accept(c.prompts[0])
	}
	if err != nil {
		c.release()
		return nil, err
	}
	return c.prompts[0], nil
}

// check answers an order that does not fit the generator, or that wants no pictures.
func (o *order) check(p *painter) {
	if o.checked {
		return
	}
	o.checked = true
	err := firstError(p.plan.checkBatch("Batch", p.rt, p.batch), p.fits(o.adapter))
	if err == nil && o.latents != nil {
		err = p.plan.checkLatents(*o.latents)
	}
	if err != nil || len(o.works) == 0 {
		o.finish(err)
	}
}

// picture is one that is being made for an order.
type picture struct {
	order *order
	work  work
}

// nextBatch takes the next pictures from the orders, in turn, that go with the first.
func (s *Sampler) nextBatch(orders []*order) (batch []picture) {
	var chosen []*order
	for _, o := range orders {
		if slices.ContainsFunc(chosen, func(other *order) bool { return !s.together(o, other) }) {
			continue
		}
		chosen = append(chosen, o)
		for ; o.begun < len(o.works) && len(batch) < s.options.Batch; o.begun++ {
			w := o.works[o.begun]
			w.conditions, _ = s.prompts.get(o.reading)
			batch = append(batch, picture{o, w})
		}
		if len(batch) == s.options.Batch {
			break
		}
	}
	return batch
}

// together tells whether pictures of two orders can be made in one batch.
func (s *Sampler) together(a, b *order) bool {
	switch {
	case a.adapter == b.adapter && a.weight == b.weight:
		return true
	case s.options.Separate || a.shape != b.shape && a.shape != "" && b.shape != "":
		return false
	case a.adapter != nil:
		return s.painter.mixes(a.adapter, a.shape)
	}
	return s.painter.mixes(b.adapter, b.shape)
}

// paint makes a batch of pictures and gives them to their orders.
func (s *Sampler) paint(batch []picture) {
	var orders []*order
	works := make([]work, len(batch))
	s.load(batch)
	for k, p := range batch {
		if orders == nil || orders[len(orders)-1] != p.order {
			orders = append(orders, p.order)
		}
		works[k] = p.work
		if p.order.adapter != nil {
			works[k].adapter, _ = s.adapters.get(p.order.adapter)
		}
	}
	ctx, cancel := shared(orders)
	defer cancel()
	pictures, err := try(func() (*tensors.Tensor, error) { return s.painter.paint(ctx, works...) })
	if err == nil {
		err = give(batch, pictures)
	}
	if err != nil {
		fail(orders, err)
	}
}

// load has the adapters of a batch on the device, all at once.
func (s *Sampler) load(batch []picture) {
	for _, p := range batch {
		s.adapters.get(p.order.adapter) // so that it does not make room for others
	}
	for _, p := range batch {
		if a := p.order.adapter; a != nil {
			if _, known := s.adapters.get(a); !known {
				s.adapters.put(a, load(a))
			}
		}
	}
}

// give gives pictures on the device to their orders, and frees them.
func give(batch []picture, pictures *tensors.Tensor) error {
	defer graphs.Release(pictures)
	return eachImage(pictures, len(batch), func(k int, img *image.NRGBA, err error) {
		batch[k].order.add(img, err)
	})
}

// try turns what a generator's methods panic with into an error: on this goroutine it
// would end the process.
func try[T any](f func() (T, error)) (result T, err error) {
	if panicked := backends.Try(func() { result, err = f() }); panicked != nil {
		return result, panicked
	}
	return result, err
}
