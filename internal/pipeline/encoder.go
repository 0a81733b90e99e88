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
	return encoder, encoder.load(ctx)
}

// Encode returns the conditions of some prompts, those of the first before those of
// the next, float32. They belong to the caller.
func (e *Encoder[P]) Encode(ctx context.Context, prompts ...P) (dualprocess.Inputs, error) {
	if err := arguments.Context(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", e.opening.name, err)
	}
	var inputs dualprocess.Inputs
	for _, prompt := range prompts {
		conditions, err := e.memory.get(ctx, prompt, func() ([]*tensors.Tensor, error) { return e.compute(ctx, prompt) })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.opening.name, err)
		}
		inputs = append(inputs, conditions...)
	}
	return inputs, nil
}

// Conditions returns the shapes of what Encode returns for so many prompts.
func (e *Encoder[P]) Conditions(prompts int) []shapes.Shape {
	return slices.Repeat(e.encoding.Shapes, prompts)
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

// Release lets go of the weights; what is remembered stays.
func (e *Encoder[P]) Release() error {
	if err := e.memory.do(e.free); err != nil {
		return fmt.Errorf("%s: release: %w", e.opening.name, err)
	}
	return nil
}

func (e *Encoder[P]) load(ctx context.Context) error {
	if err := e.opening.Load(ctx, e.encoding.Weights...); err != nil {
		return errors.Join(err, e.free())
	}
	e.program = graphs.New(e.opening.Runtime, "encode the prompt", e.build)
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

// Row is a list on the host as a batch of one, [1, len].
func Row[T int32 | float32 | bool](values []T) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, 1, len(values))
}
