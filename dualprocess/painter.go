package dualprocess

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// work is one picture that is to be made.
type work struct {
	conditions Inputs    // of its prompt
	adapter    *loaded   // nil = the base model
	weight     float64   // of the adapter
	seed       int64     // of the noise where it begins
	latents    []float32 // where it begins instead; nil = noise
}

// painter makes batches of pictures. It must not be used by several goroutines at
// once.
type painter struct {
	rt        *backends.Runtime
	generator Generator
	batch     int

	plan       *plan          // nil until the first conditions are known
	conditions []shapes.Shape // of every prompt
	denoisers  *recent[string, *denoiser]
	decode     *graphs.Program
	mixable    *recent[string, bool] // whether adapters of a Shape can be side by side
}

// keptDenoisers are those that a painter keeps; the runtime keeps their programs.
const keptDenoisers = 16

func newPainter(rt *backends.Runtime, g Generator, batch int) *painter {
	p := &painter{rt: rt, generator: g, batch: batch}
	p.denoisers = newRecent[string](keptDenoisers, func(d *denoiser) { d.step.Close() })
	p.mixable = newRecent[string](keptDenoisers, func(bool) {})
	p.decode = newProgram(rt, "decode", formOf(), (&denoiser{generator: g}).decode, g)
	return p
}

// accept returns an error unless conditions have the shapes of those before. The
// first ones tell what the generator looks like.
func (p *painter) accept(in Inputs) error {
	if p.plan != nil {
		return sameShapes(p.conditions, in)
	}
	sizes := in.shapes()
	plan, err := trace(p.rt, p.generator, sizes)
	if err == nil {
		p.plan, p.conditions = &plan, sizes
	}
	return err
}

// fits returns an error unless the adapter is of the generator.
func (p *painter) fits(a *lora.Adapter) error {
	return invalidBecause("Adapter", a.Fits(p.plan.layers))
}

// paint makes at most batch pictures, float32 [batch, height, width, 3], which stay
// on the device and belong to the caller. The last is repeated where there are fewer,
// so that nothing is compiled twice.
//
// Where all have one adapter at one weight, it is the program of the training that
// makes them. Else they are made side by side, base model included: their adapters
// must go with each other.
func (p *painter) paint(ctx context.Context, works ...work) (*tensors.Tensor, error) {
	works = slices.Clone(works)
	for len(works) < p.batch {
		works = append(works, works[len(works)-1])
	}
	latents, err := p.begin(works)
	if err != nil {
		return nil, err
	}
	d, adapters := p.denoiser(works)
	rows := make([]int32, len(works))
	d.conditions = &conditions{}
	for k, w := range works {
		d.conditions.prompts = append(d.conditions.prompts, w.conditions)
		rows[k] = int32(k)
	}
	clean, err := d.denoise(ctx, adapters, latents, rows, p.generator.Steps())
	if err != nil {
		return nil, err
	}
	defer graphs.Release(clean)
	out, err := p.decode.Run(ctx, clean)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// begin returns the latents of step 0.
func (p *painter) begin(works []work) (*tensors.Tensor, error) {
	seeds := make([]int64, len(works))
	for k, w := range works {
		seeds[k] = w.seed
	}
	latents, err := latentsOf(p.generator, seeds)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(works, func(w work) bool { return w.latents != nil }) {
		return latents, nil
	}
	err = tensors.MutableFlatData(latents, func(flat []float32) {
		size := len(flat) / len(works)
		for k, w := range works {
			copy(flat[k*size:(k+1)*size], w.latents) // nil leaves the noise
		}
	})
	if err != nil {
		return nil, fmt.Errorf("copy latents: %w", err)
	}
	return latents, nil
}

// denoiser returns the denoiser of a batch and the adapters that are its input.
func (p *painter) denoiser(works []work) (*denoiser, group) {
	first := works[0]
	for _, w := range works {
		if w.adapter != first.adapter || w.weight != first.weight {
			return p.mixed(works)
		}
	}
	a := first.adapter.get()
	form := a.Form()
	d, ok := p.denoisers.get(form)
	if !ok {
		d = newDenoiser(p.rt, p.generator, a, nil)
		p.denoisers.put(form, d)
	}
	return d, first.adapter.at(first.weight)
}

// mixed is denoiser for a batch whose pictures have adapters of their own.
func (p *painter) mixed(works []work) (*denoiser, group) {
	some := works[slices.IndexFunc(works, func(w work) bool { return w.adapter != nil })].adapter
	form := "mixed " + some.Shape()
	d, ok := p.denoisers.get(form)
	if !ok {
		d = newMixedDenoiser(p.rt, p.generator, some.Adapter, len(works))
		p.denoisers.put(form, d)
	}
	m := &mixed{}
	for _, w := range works {
		if w.adapter == nil {
			w.adapter, w.weight = some, 0
		}
		m.vectors = append(m.vectors, w.adapter.vector)
		m.scales = append(m.scales, w.adapter.Scales(w.weight))
	}
	return d, m
}

// mixes tells whether pictures with the adapter, which has the given Shape, can be made
// beside others with adapters of this Shape: whether all its layers see the batch.
func (p *painter) mixes(a *lora.Adapter, shape string) bool {
	known, ok := p.mixable.get(shape)
	if !ok {
		// Two sizes, as an axis that is not the batch may be as long as one of them.
		known = errors.Join(p.traceMixed(a, p.batch), p.traceMixed(a, p.batch+1)) == nil
		p.mixable.put(shape, known)
	}
	return known
}

// traceMixed builds a step of a batch with adapters of its pictures' own into a graph
// that is thrown away, not compiled.
func (p *painter) traceMixed(a *lora.Adapter, batch int) error {
	d := newMixedDenoiser(p.rt, p.generator, a, batch)
	defer d.step.Close()
	d.conditions = &conditions{prompts: []Inputs{make(Inputs, len(p.conditions))}}
	return backends.Try(func() {
		graph := NewGraph(p.rt.Backend, "trace")
		defer graph.Finalize()
		model.SetStore(graph, p.rt.Store)
		in := &cursor{}
		add := func(dims ...shapes.Shape) {
			for _, shape := range dims {
				in.nodes = append(in.nodes, Parameter(graph, fmt.Sprint("in", len(in.nodes)), shape))
			}
		}
		add(slices.Repeat([]shapes.Shape{shapes.Make(dtypes.Float32, a.Size())}, batch)...)
		latents := p.plan.latents.Clone()
		latents.Dimensions[0] = batch
		add(shapes.Make(dtypes.Float32, batch, len(a.Layers())))
		add(slices.Repeat([]shapes.Shape{latents}, stateSize(p.generator))...)
		add(shapes.Make(dtypes.Int32))
		add(slices.Repeat(p.conditions, batch)...)
		d.build(in)
	})
}

// close frees what the painter has; its plan stays.
func (p *painter) close() {
	p.denoisers.clear()
	p.decode.Close()
}
