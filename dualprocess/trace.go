package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Layers returns the layers of a generator that can be adapted, sorted by name:
// what lora.Load compares a file with, and what lora.New chooses from.
//
// Nothing is compiled or computed for it. A Generator that is no Conditioner is
// asked to Encode the empty prompt. The error wraps ErrTask if the runtime is not
// open or the generator is nil or another runtime's.
func Layers(rt *backends.Runtime, g Generator) (layers []lora.Layer, err error) {
	defer named(&err)
	if err := firstError(checkRuntime(rt), checkModel("Generator", rt, g)); err != nil {
		return nil, err
	}
	var conditions []shapes.Shape
	if c, ok := g.(Conditioner); ok {
		conditions = c.Conditions()
	} else {
		c, err := encode(context.Background(), g, []string{""})
		defer c.release()
		if err != nil {
			return nil, err
		}
		conditions = c.shapes()
	}
	p, err := trace(rt, g, conditions)
	return p.layers, err
}

// plan is what one forward pass of a generator looks like.
type plan struct {
	layers        []lora.Layer // that can be adapted
	latents       shapes.Shape // of one picture, [1, ...]
	height, width int          // of the pictures, in pixels
}

// trace builds one step and the picture it implies into a graph that is thrown
// away, not compiled: that tells the layers' names and the picture's size.
// conditions are the shapes of one encoded prompt.
func trace(rt *backends.Runtime, g Generator, conditions []shapes.Shape) (p plan, err error) {
	sample, err := latentsOf(g, []int64{0})
	if err != nil {
		return plan{}, err
	}
	defer graphs.Release(sample)
	p.latents = sample.Shape()

	if err := backends.Try(func() {
		graph := NewGraph(rt.Backend, "trace")
		defer graph.Finalize()
		model.SetStore(graph, rt.Store)
		p.build(graph, g, conditions)
	}); err != nil {
		return plan{}, fmt.Errorf("trace the generator: %w", err)
	}
	return p, nil
}

// build calls every graph method of a generator once and notes what it learns.
func (p *plan) build(graph *Graph, g Generator, conditions []shapes.Shape) {
	latents := Parameter(graph, "latents", p.latents)
	i := Parameter(graph, "i", shapes.Make(dtypes.Int32))
	cond := make([]*Node, len(conditions))
	for k, shape := range conditions {
		cond[k] = Parameter(graph, fmt.Sprintf("cond%d", k), shape)
	}
	recorder := lora.Record()
	prediction := g.Predict(recorder.Delta(), latents, i, cond)
	assertSame("Predict", latents, prediction)
	assertSame("Step", latents, g.Step(latents, prediction, i))
	clean := g.Clean(latents, prediction, i)
	assertSame("Clean", latents, clean)
	if m, ok := g.(Multistepper); ok {
		assertSame("StepAfter", latents, m.StepAfter(latents, prediction, clean, i))
	}
	picture := g.Decode(clean)
	if picture.Rank() != 4 || picture.Shape().Dim(0) != 1 || picture.Shape().Dim(3) != 3 || picture.DType() != dtypes.Float32 {
		exceptions.Panicf("Decode gives %s and not a picture, float32 [batch, height, width, 3]", picture.Shape())
	}
	p.layers, p.height, p.width = recorder.Layers(), picture.Shape().Dim(1), picture.Shape().Dim(2)
}

// assertSame panics unless what a method returned has the shape of the latents.
func assertSame(method string, latents, got *Node) {
	if !got.Shape().Equal(latents.Shape()) {
		exceptions.Panicf("%s gives %s for latents %s", method, got.Shape(), latents.Shape())
	}
}

// latentsOf returns the noise of some seeds, checked.
func latentsOf(g Generator, seeds []int64) (*tensors.Tensor, error) {
	latents, err := g.Latents(seeds...)
	if err != nil {
		return nil, fmt.Errorf("latents of %d seeds: %w", len(seeds), err)
	}
	if !latents.Ok() {
		return nil, fmt.Errorf("latents of %d seeds are nil or were freed", len(seeds))
	}
	if latents.Rank() == 0 || latents.Shape().Dimensions[0] != len(seeds) || latents.DType() != dtypes.Float32 {
		return nil, fmt.Errorf("latents of %d seeds are %s, not float32 [%d, ...]", len(seeds), latents.Shape(), len(seeds))
	}
	return latents, nil
}
