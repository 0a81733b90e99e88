package dualprocess

import (
	"context"
	"errors"
	"fmt"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// conditions are encoded prompts, stacked: prompt k is row k of every table. A
// batch picks its rows on the device, so that nothing is uploaded per update.
type conditions struct {
	tables []*tensors.Tensor // [prompts, ...]
}

// inputs lists the tables for a program.
func (c *conditions) inputs() []any { return []any{c.tables} }

// take reads the tables in a graph.
func (c *conditions) take(in *cursor) []*Node { return in.take(len(c.tables)) }

// pick gathers the rows of tables that a batch wants: what Predict is given,
// [batch, ...].
func pick(tables []*Node, rows *Node) []*Node {
	picked := make([]*Node, len(tables))
	for k, table := range tables {
		picked[k] = Gather(table, ExpandDims(rows, -1))
	}
	return picked
}

// encode prepares prompts; all must encode to the same shapes.
func encode(ctx context.Context, g Generator, prompts []string) (*conditions, error) {
	var encoded []Inputs
	defer func() {
		for _, in := range encoded {
			graphs.Release(in...)
		}
	}()
	for _, prompt := range prompts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in, err := g.Encode(ctx, prompt)
		if err == nil {
			encoded = append(encoded, in)
			err = sameShapes(encoded[0], in)
		}
		if err != nil {
			return nil, fmt.Errorf("encode prompt %s: %w", quote.Short(prompt), err)
		}
	}
	return stack(encoded)
}

// sameShapes returns an error unless both have tensors of the same shapes with a
// leading axis of 1.
func sameShapes(first, in Inputs) error {
	if len(in) != len(first) {
		return fmt.Errorf("%d tensors where the first prompt has %d", len(in), len(first))
	}
	for k, t := range in {
		if !t.Ok() {
			return fmt.Errorf("tensor %d is nil or was freed", k)
		}
		if t.Rank() == 0 || t.Shape().Dimensions[0] != 1 {
			return fmt.Errorf("tensor %d has shape %s without a leading axis of 1", k, t.Shape())
		}
		if !t.Shape().Equal(first[k].Shape()) {
			return fmt.Errorf("tensor %d has shape %s where the first prompt has %s", k, t.Shape(), first[k].Shape())
		}
	}
	return nil
}

// stack joins the tensors of prompts along the leading axis.
func stack(encoded []Inputs) (*conditions, error) {
	c := &conditions{}
	for k, first := range encoded[0] {
		shape := first.Shape().Clone()
		shape.Dimensions[0] = len(encoded)
		table := tensors.FromShape(shape)
		c.tables = append(c.tables, table)
		var rows []byte
		var errs []error
		for _, in := range encoded {
			errs = append(errs, in[k].ConstBytes(func(data []byte) { rows = append(rows, data...) }))
		}
		errs = append(errs, table.MutableBytes(func(data []byte) { copy(data, rows) }))
		if err := errors.Join(errs...); err != nil {
			c.release()
			return nil, fmt.Errorf("stack encoded prompts: %w", err)
		}
	}
	return c, nil
}

// shapes are those of one prompt, with a leading axis of 1.
func (c *conditions) shapes() []shapes.Shape {
	var all []shapes.Shape
	for _, table := range c.tables {
		shape := table.Shape().Clone()
		shape.Dimensions[0] = 1
		all = append(all, shape)
	}
	return all
}

func (c *conditions) release() {
	if c != nil {
		graphs.Release(c.tables...)
	}
}
