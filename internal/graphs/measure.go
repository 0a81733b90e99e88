package graphs

import (
	"context"
	"fmt"
	"strings"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/cost"
)

// Measure says what the program will take for inputs as Run is given them, of which the
// shapes count. It builds the graph and compiles nothing.
func (p *Program) Measure(ctx context.Context, inputs ...any) (c cost.Cost, err error) {
	if err := ctx.Err(); err != nil {
		return c, err
	}
	done, err := p.runtime.Use()
	if err != nil {
		return c, err
	}
	defer done()
	in, made, err := spread(inputs)
	defer func() { Release(made...) }()
	if err == nil {
		c, _, err = p.sketch(shapesOf(in))
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", p.key.Name, cause(err))
	}
	return c, nil
}

// Compiled says whether the program is there already for inputs of these shapes.
func (p *Program) Compiled(inputs ...any) bool {
	in, made, err := spread(inputs)
	defer func() { Release(made...) }()
	return err == nil && cacheOf(p.runtime).has(p.key, formOf(shapesOf(in)))
}

// formOf tells shapes apart.
func formOf(sizes []shapes.Shape) string {
	var form strings.Builder
	for _, size := range sizes {
		form.WriteString(size.String())
	}
	return form.String()
}

// shapesOf are the shapes of tensors.
func shapesOf(in []any) []shapes.Shape {
	sizes := make([]shapes.Shape, len(in))
	for k, t := range in {
		sizes[k] = t.(*tensors.Tensor).Shape()
	}
	return sizes
}

// sketch builds the graph, and returns its cost and the shapes of its outputs.
func (p *Program) sketch(sizes []shapes.Shape) (c cost.Cost, out []shapes.Shape, err error) {
	defer p.runtime.Building()()
	err = backends.Try(func() {
		g := NewGraph(p.runtime.Backend, p.key.Name)
		defer g.Finalize()
		model.SetStore(g, p.runtime.Store)
		p.runtime.Store.SetTraining(g, true)
		in := make([]*Node, len(sizes))
		for k, size := range sizes {
			in[k] = Parameter(g, fmt.Sprintf("in%d", k), size)
		}
		outputs := p.build(in)
		for _, x := range outputs {
			out = append(out, x.Shape())
		}
		c = cost.Of(outputs, func(name string) bool { return p.runtime.Store.GetVariable(name) != nil })
	})
	return c, out, err
}

// imagine is run on a runtime that is a sketch: zeros.
func (p *Program) imagine(ctx context.Context, sizes []shapes.Shape) (out []*tensors.Tensor, err error) {
	c, shapes, err := p.sketch(sizes)
	if err != nil {
		return nil, err
	}
	observe(ctx, Event{Program: p.key.Name, Cost: &c})
	for _, shape := range shapes {
		out = append(out, tensors.FromShape(shape))
	}
	return out, nil
}
