package dualprocess

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// conditions are encoded prompts, stacked: prompt k is row k of every table. A
// batch picks its rows on the device, so that nothing is uploaded per update.
type conditions struct {
	tables []*tensors.Tensor // [prompts, ...]
}

// encode prepares prompts; all must encode to the same shapes.
func encode(ctx context.Context, g Generator, prompts []string) (*conditions, error) {
	var encoded []Inputs
	defer func() {
		for _, in := range encoded {
			release(in...)
		}
	}()
	for _, prompt := range prompts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in, err := g.Encode(ctx, prompt)
		if err != nil {
			return nil, fmt.Errorf("dualprocess: encode prompt %q: %w", prompt, err)
		}
		encoded = append(encoded, in)
		if err := sameShapes(encoded[0], in); err != nil {
			return nil, fmt.Errorf("dualprocess: encode prompt %q: %w", prompt, err)
		}
	}
	c := &conditions{}
	for k := range encoded[0] {
		table, err := stack(encoded, k)
		if err != nil {
			c.release()
			return nil, fmt.Errorf("dualprocess: stack encoded prompts: %w", err)
		}
		c.tables = append(c.tables, table)
	}
	return c, nil
}

// sameShapes returns an error unless both have tensors of the same shapes with a
// leading axis of 1.
func sameShapes(first, in Inputs) error {
	if len(in) != len(first) {
		return fmt.Errorf("%d tensors where the first prompt has %d", len(in), len(first))
	}
	for k, t := range in {
		if t.Rank() == 0 || t.Shape().Dimensions[0] != 1 {
			return fmt.Errorf("tensor %d has shape %s without a leading axis of 1", k, t.Shape())
		}
		if !t.Shape().Equal(first[k].Shape()) {
			return fmt.Errorf("tensor %d has shape %s where the first prompt has %s", k, t.Shape(), first[k].Shape())
		}
	}
	return nil
}

// stack joins tensor k of every prompt along the leading axis.
func stack(encoded []Inputs, k int) (*tensors.Tensor, error) {
	shape := encoded[0][k].Shape().Clone()
	shape.Dimensions[0] = len(encoded)
	table := tensors.FromShape(shape)
	var rows []byte
	for _, in := range encoded {
		if err := in[k].ConstBytes(func(data []byte) { rows = append(rows, data...) }); err != nil {
			return nil, err
		}
	}
	return table, table.MutableBytes(func(data []byte) { copy(data, rows) })
}

// inputs lists the tables with the rows that a batch wants, for a program.
func (c *conditions) inputs(rows []int32) []any {
	return []any{c.tables, rows}
}

// take reads the nodes of inputs in a graph and returns those for Predict,
// [batch, ...].
func (c *conditions) take(in *cursor) []*Node {
	tables := in.take(len(c.tables))
	return pick(tables, in.one())
}

// pick gathers rows of tables.
func pick(tables []*Node, rows *Node) []*Node {
	picked := make([]*Node, len(tables))
	for k, table := range tables {
		picked[k] = Gather(table, ExpandDims(rows, -1))
	}
	return picked
}

func (c *conditions) release() {
	if c != nil {
		release(c.tables...)
	}
}
