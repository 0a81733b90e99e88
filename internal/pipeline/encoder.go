package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Encoding says how a model's prompts become conditions. P is what a prompt is to
// the model: its text, and what else decides how it is read.
type Encoding[P comparable] struct {
	Weights []Weights // of the text encoders

	// Inputs are those of Graph for a prompt. They are made on the host, without the
	// weights.
	Inputs func(prompt P) ([]any, error)

	// Graph returns the conditions, each with a leading axis of 1. It is a graph
	// function.
	Graph func(in []*Node) []*Node

	// Shapes are those of the conditions, which are the same for every prompt.
	Shapes []shapes.Shape

	// Negative is the prompt that guidance leads away from; nil without guidance.
	Negative *P
}

// Encoder encodes prompts. The latest are remembered. The weights can be let go and
// come back when they are needed again. Several goroutines may use it.
type Encoder[P comparable] struct {
	opening  *Opening
	encoding Encoding[P]
	memory   memory[P]
	program  *graphs.Program // nil when released
}

// NewEncoder loads the weights of the text encoders.
func NewEncoder[P comparable](ctx context.Context, p *Opening, e Encoding[P]) (*Encoder[P], error) {
	encoder := &Encoder[P]{opening: p, encoding: e}
	p.Model.OnClose(encoder.forget)
	return encoder, encoder.load(ctx)
}

// Encode returns the conditions of a prompt, float32, and after them those of the
// negative prompt, if there is one. They belong to the caller.
func (e *Encoder[P]) Encode(ctx context.Context, prompt P) (dualprocess.Inputs, error) {
	return e.encodeAll(ctx, e.encoded(prompt)...)
}

// Guides says whether there is a negative prompt.
func (e *Encoder[P]) Guides() bool { return e.encoding.Negative != nil }

// EncodeGuided is Encode with another negative prompt. There must be one.
func (e *Encoder[P]) EncodeGuided(ctx context.Context, prompt, negative P) (dualprocess.Inputs, error) {
	if !e.Guides() {
		return nil, fmt.Errorf("%s: guidance is off: there is no negative prompt", e.opening.name)
	}
	return e.encodeAll(ctx, prompt, negative)
}

func (e *Encoder[P]) encodeAll(ctx context.Context, prompts ...P) (dualprocess.Inputs, error) {
	done, err := e.opening.Model.Use()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.opening.name, err)
	}
	defer done()
	var inputs dualprocess.Inputs
	for _, p := range prompts {
		conditions, err := e.encode(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.opening.name, err)
		}
		inputs = append(inputs, conditions...)
	}
	return inputs, nil
}

// Conditions returns the shapes of what Encode returns.
func (e *Encoder[P]) Conditions() []shapes.Shape {
	var prompt P
	return slices.Repeat(e.encoding.Shapes, len(e.encoded(prompt)))
}

// encoded lists the prompts that are encoded for one.
func (e *Encoder[P]) encoded(prompt P) []P {
	if e.encoding.Negative == nil {
		return []P{prompt}
	}
	return []P{prompt, *e.encoding.Negative}
}

func (e *Encoder[P]) encode(ctx context.Context, prompt P) ([]*tensors.Tensor, error) {
	if err := arguments.Context(ctx); err != nil {
		return nil, err
	}
	return e.memory.get(ctx, prompt, func() ([]*tensors.Tensor, error) { return e.compute(ctx, prompt) })
}

func (e *Encoder[P]) compute(ctx context.Context, prompt P) ([]*tensors.Tensor, error) {
	in, err := e.encoding.Inputs(prompt)
	if err != nil {
		return nil, err
	}
	if e.program == nil {
		if err := e.load(ctx); err != nil {
			return nil, err
		}
	}
	out, err := e.program.Run(ctx, in...)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(out...)
	return copies(out)
}

// Release lets go of the weights; what is remembered stays. A model that is closed
// has none.
func (e *Encoder[P]) Release() error {
	done, err := e.opening.Model.Use()
	if err != nil {
		return nil
	}
	defer done()
	if err := e.memory.do(e.free); err != nil {
		return fmt.Errorf("%s: release: %w", e.opening.name, err)
	}
	return nil
}

func (e *Encoder[P]) load(ctx context.Context) error {
	if err := e.opening.Load(ctx, e.encoding.Weights...); err != nil {
		return errors.Join(err, e.free())
	}
	e.program = graphs.NewOwn(e.opening.Runtime, graphs.Key{Name: "encode the prompt"}, e.build)
	return nil
}

func (e *Encoder[P]) build(in []*Node) []*Node {
	out := e.encoding.Graph(in)
	for k := range out {
		out[k] = ConvertDType(out[k], dtypes.Float32)
	}
	return out
}

func (e *Encoder[P]) free() error {
	e.program.Close()
	e.program = nil
	return e.opening.free(e.encoding.Weights...)
}

// forget lets go of all that the model's own end does not: the program, and what is
// remembered.
func (e *Encoder[P]) forget() {
	e.program.Close()
	e.program = nil
	for _, known := range e.memory.known {
		graphs.Release(known...)
	}
	e.memory.known = nil
}

// Row is a list on the host as a batch of one, [1, len].
func Row[T int32 | float32 | bool](values []T) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, 1, len(values))
}
