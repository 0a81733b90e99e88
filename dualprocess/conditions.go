package dualprocess

import (
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// conditions are encoded prompts, on the device once they have been used. A program
// is given those of the prompts of its batch, so that it knows nothing of how many
// there are.
type conditions struct {
	prompts []Inputs // each tensor has a leading axis of 1
}

// inputs lists the conditions of some prompts, by their numbers, for a program.
func (c *conditions) inputs(rows []int32) []any {
	var all []any
	for _, row := range rows {
		all = append(all, []*tensors.Tensor(c.prompts[row]))
	}
	return all
}

// take reads those of a batch in a graph and joins them: what Predict is given,
// [batch, ...].
func (c *conditions) take(in *cursor, batch int) []*Node {
	rows := make([][]*Node, batch)
	for k := range rows {
		rows[k] = in.take(len(c.prompts[0]))
	}
	joined := slices.Clone(rows[0])
	for k := range joined {
		if batch > 1 {
			parts := make([]*Node, batch)
			for r := range rows {
				parts[r] = rows[r][k]
			}
			joined[k] = Concatenate(parts, 0)
		}
	}
	return joined
}

// encode prepares prompts; all must encode to the same shapes. What it returns is
// to be released even if there is an error.
func encode(ctx context.Context, g Generator, prompts []string) (*conditions, error) {
	c := &conditions{}
	for _, prompt := range prompts {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		in, err := g.Encode(ctx, prompt)
		if err == nil {
			c.prompts = append(c.prompts, in)
			err = sameShapes(c.prompts[0].shapes(), in)
		}
		if err != nil {
			return c, fmt.Errorf("encode prompt %s: %w", quote.Short(prompt), err)
		}
	}
	return c, nil
}

// sameShapes returns an error unless the tensors have the shapes of the first
// prompt's with a leading axis of 1.
func sameShapes(first []shapes.Shape, in Inputs) error {
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
		if !t.Shape().Equal(first[k]) {
			return fmt.Errorf("tensor %d has shape %s where the first prompt has %s", k, t.Shape(), first[k])
		}
	}
	return nil
}

// shapes are those of one prompt, with a leading axis of 1.
func (c *conditions) shapes() []shapes.Shape { return c.prompts[0].shapes() }

func (in Inputs) shapes() []shapes.Shape {
	var all []shapes.Shape
	for _, t := range in {
		if t == nil {
			t = &tensors.Tensor{}
		}
		all = append(all, t.Shape())
	}
	return all
}

func (c *conditions) release() {
	if c != nil {
		for _, in := range c.prompts {
			graphs.Release(in...)
		}
	}
}
