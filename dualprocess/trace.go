package dualprocess

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// plan is what one forward pass of a generator looks like.
type plan struct {
	layers        []lora.Layer // that can be adapted
	height, width int          // of the pictures, in pixels
}

// trace builds one step and the picture it implies into a graph that is thrown
// away, not compiled: that tells the layers' names and the picture's size.
func trace(rt *backends.Runtime, g Generator, c *conditions) (p plan, err error) {
	defer recoverAs("trace the generator", &err)
	sample, err := latentsOf(g, []int64{0})
	if err != nil {
		return plan{}, err
	}
	defer release(sample)

	graph := NewGraph(rt.Backend, "trace")
	defer graph.Finalize()
	model.SetStore(graph, rt.Store)
	latents := Parameter(graph, "latents", sample.Shape())
	i := Parameter(graph, "i", shapes.Make(dtypes.Int32))
	cond := make([]*Node, len(c.tables))
	for k, table := range c.tables {
		shape := table.Shape().Clone()
		shape.Dimensions[0] = 1
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
	return plan{recorder.Layers(), picture.Shape().Dim(1), picture.Shape().Dim(2)}, nil
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
		return nil, fmt.Errorf("dualprocess: latents of seeds %v: %w", seeds, err)
	}
	if latents.Rank() == 0 || latents.Shape().Dimensions[0] != len(seeds) || latents.DType() != dtypes.Float32 {
		return nil, fmt.Errorf("dualprocess: latents of %d seeds are %s, not float32 [%d, ...]", len(seeds), latents.Shape(), len(seeds))
	}
	return latents, nil
}
