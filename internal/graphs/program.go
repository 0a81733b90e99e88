// Package graphs compiles graph functions and runs them.
package graphs

import (
	"context"
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
)

// Program is a graph function that is compiled when it first runs with inputs of
// new shapes. It must not be used by several goroutines at once.
type Program struct {
	name    string
	runtime *backends.Runtime
	build   func(in []*Node) []*Node
	exec    *model.Exec // nil before the first run
}

// New returns a program of a graph function. The name stands before its errors.
func New(rt *backends.Runtime, name string, build func(in []*Node) []*Node) *Program {
	return &Program{name: name, runtime: rt, build: build}
}

// Run executes the program, unless ctx has ended. Inputs are tensors, Go scalars,
// and slices of both, which are spread. The results stay on the device and belong
// to the caller.
//
// What the graph function panics with is the error, as it is: GoMLX would put five
// layers of its own before it.
func (p *Program) Run(ctx context.Context, inputs ...any) (out []*tensors.Tensor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	panicked := backends.Try(func() { out, err = p.call(spread(nil, inputs)) })
	if err == nil {
		err = panicked
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, cause(err))
	}
	return out, nil
}

func (p *Program) call(inputs []any) (out []*tensors.Tensor, err error) {
	if p.exec == nil {
		if p.exec, err = NewExecutor(p.runtime, p.guarded); err != nil {
			return nil, err
		}
		p.exec.WithName(p.name)
	}
	return p.exec.Call(inputs...)
}

// NewExecutor returns an executor of a graph function of at least one input, for what
// runs without this package's care for contexts and errors.
//
// The store's variables are inputs of its graphs. The pure Go backend would have
// them copied into the graph as constants, where neither a new value nor the end of
// the model reaches them; it does so unless the graph is said to be for training.
func NewExecutor(rt *backends.Runtime, build func(in []*Node) []*Node) (*model.Exec, error) {
	return model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		rt.Store.SetTraining(in[0].Graph(), true)
		return build(in)
	})
}

// Close frees what was compiled; a nil program has nothing.
func (p *Program) Close() {
	if p != nil && p.exec != nil {
		p.exec.Finalize()
		p.exec = nil
	}
}

// building is what a graph function panicked with, on its way through GoMLX.
type building struct{ error }

func (b building) Unwrap() error { return b.error }

// guarded is the graph function with its panics marked.
func (p *Program) guarded(in []*Node) (out []*Node) {
	if err := backends.Try(func() { out = p.build(in) }); err != nil {
		panic(building{err})
	}
	return out
}

// cause strips an error of GoMLX of the layers that GoMLX put around it: they
// repeat each other, and one of them prints tensors.
func cause(err error) error {
	var b building
	if errors.As(err, &b) {
		return b.error
	}
	for {
		layer, ok := err.(interface{ Cause() error })
		if !ok || layer.Cause() == nil {
			return err
		}
		err = layer.Cause()
	}
}

// spread appends values to flat, those in slices one by one.
func spread(flat, values []any) []any {
	for _, v := range values {
		switch v := v.(type) {
		case []any:
			flat = spread(flat, v)
		case []*tensors.Tensor:
			for _, t := range v {
				flat = append(flat, t)
			}
		default:
			flat = append(flat, v)
		}
	}
	return flat
}

// Release frees tensors on the device and the host at once: the garbage collector
// cannot see how much memory of the device they hold.
func Release(values ...*tensors.Tensor) {
	for _, t := range values {
		if t != nil {
			_ = t.FinalizeAll() // of a tensor already freed: nothing to do
		}
	}
}
