package dualprocess

import (
	"context"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
)

// program is a graph function compiled at its first run. As everything that
// changes between runs is an input, of a shape that does not change, it is
// compiled only once.
type program struct {
	name string
	exec *model.Exec
}

// newProgram prepares a program; build takes its inputs from the cursor in the
// order in which run is given them.
func newProgram(rt *backends.Runtime, name string, build func(in *cursor) []*Node) (*program, error) {
	exec, err := model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, nodes []*Node) []*Node {
		in := &cursor{nodes}
		out := build(in)
		if len(in.nodes) != 0 {
			exceptions.Panicf("%d inputs were not used", len(in.nodes))
		}
		return out
	})
	if err != nil {
		return nil, fmt.Errorf("dualprocess: %s: %w", name, err)
	}
	return &program{name, exec.WithName(name)}, nil
}

// run executes the program, unless ctx has ended. Inputs are tensors, slices of
// them, and Go scalars. The results stay on the device and belong to the caller.
//
// Here, and in trace, panics of graph building become errors.
func (p *program) run(ctx context.Context, inputs ...any) (out []*tensors.Tensor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer recoverAs(p.name, &err)
	out, err = p.exec.Call(flatten(inputs)...)
	if err != nil {
		return nil, fmt.Errorf("dualprocess: %s: %w", p.name, err)
	}
	return out, nil
}

// close frees the compiled graph; a nil program has none.
func (p *program) close() {
	if p != nil {
		p.exec.Finalize()
	}
}

// recoverAs, deferred, turns a panic into an error.
func recoverAs(name string, err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("dualprocess: %s: %w", name, r)
	default:
		*err = fmt.Errorf("dualprocess: %s: %v", name, r)
	}
}

// flatten spreads slices of tensors among single values.
func flatten(inputs []any) []any {
	var flat []any
	for _, in := range inputs {
		switch in := in.(type) {
		case []*tensors.Tensor:
			for _, t := range in {
				flat = append(flat, t)
			}
		default:
			flat = append(flat, in)
		}
	}
	return flat
}

// cursor hands out the inputs of a graph function in order.
type cursor struct{ nodes []*Node }

// take returns the next n nodes.
func (c *cursor) take(n int) []*Node {
	if n > len(c.nodes) {
		exceptions.Panicf("%d more inputs wanted, %d are left", n, len(c.nodes))
	}
	taken := c.nodes[:n:n]
	c.nodes = c.nodes[n:]
	return taken
}

// one returns the next node.
func (c *cursor) one() *Node { return c.take(1)[0] }

// release frees tensors on the device and the host at once: the garbage collector
// cannot see how much memory of the device they hold.
func release(values ...*tensors.Tensor) {
	for _, t := range values {
		if t != nil {
			_ = t.FinalizeAll() // of a tensor already freed: nothing to do
		}
	}
}
