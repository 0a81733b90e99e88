// Package graphs compiles graph functions and runs them. What is compiled is kept on
// the runtime: the next program with the same key and inputs of the same shapes is
// there already, whoever asks.
package graphs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/backends"
)

// Key tells programs apart. Two programs with equal keys must build the same graph
// from inputs of the same shapes.
type Key struct {
	Name   string // of what it does; stands before errors, and is shown while it compiles
	Models [2]any // that the graph function calls; nil where there is none
	Form   string // all else that shapes the graph, but for the shapes of its inputs
	own    *byte  // of a program that nobody shares; nil for all others
}

// Program is a graph function that is compiled when it first runs with inputs of
// new shapes. Several goroutines may run it; they take turns.
type Program struct {
	key     Key
	runtime *backends.Runtime
	build   func(in []*Node) []*Node
}

// New returns a program of a graph function of at least one input. It is shared by
// all with the same key, and whoever compiles it first keeps what its graph function
// holds on to only as long.
func New(rt *backends.Runtime, key Key, build func(in []*Node) []*Node) *Program {
	for _, m := range key.Models {
		if !comparable(m) {
			return NewOwn(rt, key, build)
		}
	}
	return &Program{key: key, runtime: rt, build: build}
}

// NewOwn is New of a program that is not shared: something shapes its graph that a
// key cannot tell. It is to be closed.
func NewOwn(rt *backends.Runtime, key Key, build func(in []*Node) []*Node) *Program {
	return &Program{key: Key{Name: key.Name, own: new(byte)}, runtime: rt, build: build}
}

// Close frees what was compiled unless it is shared; a nil program has nothing.
func (p *Program) Close() {
	if p != nil && p.key.own != nil {
		cacheOf(p.runtime).forget(func(k Key) bool { return k == p.key })
	}
}

// Run executes the program, unless ctx has ended. Inputs are tensors, Go scalars and
// slices that become tensors, and slices of all of these, which are spread. The
// results stay on the device and belong to the caller.
//
// What the graph function panics with is the error, as it is: GoMLX would put five
// layers of its own before it. It wraps backends.ErrClosed where the runtime has
// been closed, or a model that the graph function computes with.
func (p *Program) Run(ctx context.Context, inputs ...any) (out []*tensors.Tensor, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done, err := p.runtime.Use()
	if err != nil {
		return nil, err
	}
	defer done()
	panicked := backends.Try(func() { out, err = p.run(ctx, inputs) })
	if err == nil {
		err = panicked
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.key.Name, cause(err))
	}
	return out, nil
}

func (p *Program) run(ctx context.Context, inputs []any) ([]*tensors.Tensor, error) {
	in, made, err := spread(inputs)
	defer func() { Release(made...) }()
	if err != nil {
		return nil, err
	}
	sizes := shapesOf(in)
	if p.runtime.Sketched() {
		return p.imagine(ctx, sizes)
	}
	held, done, err := p.ready(ctx, sizes)
	if err != nil {
		return nil, err
	}
	defer done()
	models, err := backends.UseModels(held.graph)
	if err != nil {
		return nil, err
	}
	defer models()
	cleared, err := p.runtime.Clear(held.graph)
	if err != nil {
		return nil, err
	}
	defer cleared()
	observe(ctx, Event{Program: p.key.Name})
	return held.exec.Call(in...)
}

// ready returns what is compiled for inputs of these shapes, which nobody else runs until
// done is called; after an error there is nothing to be done.
func (p *Program) ready(ctx context.Context, sizes []shapes.Shape) (_ *compiled, done func(), err error) {
	c := cacheOf(p.runtime)
	held := c.hold(p.key, formOf(sizes))
	done = func() { c.let(held) }
	ready := false
	defer func() {
		if !ready {
			done()
		}
	}()
	if !c.has(p.key, formOf(sizes)) { // here, or where Begin is at it
		observe(ctx, Event{Program: p.key.Name, Compiling: true})
	}
	select {
	case held.turn <- struct{}{}:
		done = func() { <-held.turn; c.let(held) }
	case <-ctx.Done():
		return nil, done, ctx.Err()
	}
	if held.exec == nil {
		began := time.Now()
		if held.exec, held.graph, err = p.compile(sizes); err != nil {
			return nil, done, err
		}
		c.took(held, time.Since(began))
	}
	ready = true
	return held, done, nil
}

// Begin compiles the program for inputs as Run is given them, beside what the caller does
// until it calls wait. What runs the program meanwhile waits for it; errors are left to that.
func (p *Program) Begin(inputs ...any) (wait func()) {
	done, err := p.runtime.Use()
	if err != nil {
		return func() {}
	}
	in, made, err := spread(inputs)
	defer func() { Release(made...) }()
	if err != nil {
		done()
		return func() {}
	}
	sizes := shapesOf(in)
	var compiling sync.WaitGroup
	compiling.Go(func() {
		defer done()
		_ = backends.Try(func() {
			if _, turn, err := p.ready(context.Background(), sizes); err == nil {
				turn()
			}
		})
	})
	return compiling.Wait
}

// compile returns the executor for inputs of these shapes. It is called for no
// others, so what the graph function holds on to is let go of. While it builds the
// graph, no model comes or goes.
func (p *Program) compile(sizes []shapes.Shape) (exec *model.Exec, g *Graph, err error) {
	defer p.runtime.Building()()
	defer p.runtime.Trim() // XLA's compiler takes hundreds of megabytes
	build := p.build
	exec, err = NewExecutor(p.runtime, func(in []*Node) []*Node { return guarded(build, in) })
	if err != nil {
		return nil, nil, err
	}
	exec.WithName(p.key.Name)
	panicked := backends.Try(func() { g, err = exec.Compile(sizes...) })
	build = nil
	if err == nil {
		err = panicked
	}
	if err != nil {
		exec.Finalize()
		return nil, nil, err
	}
	return exec, g, nil
}

// NewExecutor returns an executor of a graph function of at least one input, for
// what runs without this package's care for contexts and errors.
//
// The store's variables are inputs of its graphs. Newer versions of the pure Go
// backend would have them copied into the graph as constants, where neither a new
// value nor the end of the model reaches them; they do so unless the graph is said
// to be for training.
func NewExecutor(rt *backends.Runtime, build func(in []*Node) []*Node) (*model.Exec, error) {
	return model.NewExec(rt.Backend, rt.Store, func(_ *model.Scope, in []*Node) []*Node {
		rt.Store.SetTraining(in[0].Graph(), true)
		return build(in)
	})
}

// building is what a graph function panicked with, on its way through GoMLX.
type building struct{ error }

func (b building) Unwrap() error { return b.error }

// guarded is a graph function with its panics marked.
func guarded(build func(in []*Node) []*Node, in []*Node) (out []*Node) {
	if err := backends.Try(func() { out = build(in) }); err != nil {
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
