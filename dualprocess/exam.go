package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// exam is a verifier with its questions prepared for pictures of one size.
type exam struct {
	verifier  Verifier
	questions []Question
	views     []view
	prepared  []Inputs // per question
}

// inputs lists the prepared tensors of all views and questions, in order.
func (e *exam) inputs() []any {
	all := viewInputs(e.views)
	for _, in := range e.prepared {
		all = append(all, []*tensors.Tensor(in))
	}
	return all
}

// examNodes are inputs in a graph.
type examNodes struct {
	views     [][]*Node
	questions [][]*Node
}

// take reads inputs in a graph.
func (e *exam) take(in *cursor) (n examNodes) {
	n.views = takeViews(in, e.views)
	for _, prepared := range e.prepared {
		n.questions = append(n.questions, in.take(len(prepared)))
	}
	return n
}

// form adds what shapes a graph that asks the questions.
func (e *exam) form(f *form) *form {
	for _, in := range e.prepared {
		f.add(len(in))
	}
	return viewForm(f, e.views)
}

// newExam prepares the questions for pictures of height x width pixels.
func newExam(ctx context.Context, v Verifier, questions []Question, height, width int) (e *exam, err error) {
	e = &exam{verifier: v, questions: questions}
	if e.views, err = newViews(questions, height, width); err != nil {
		return nil, err
	}
	for _, q := range questions {
		if err := e.prepare(ctx, q, height, width); err != nil {
			e.release()
			return nil, err
		}
	}
	return e, nil
}

func (e *exam) prepare(ctx context.Context, q Question, height, width int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	prepare := e.verifier.Prepare
	if p, ok := e.verifier.(Padder); ok {
		prepare = p.PreparePadded
	}
	in, err := prepare(ctx, q, height, width)
	if err != nil {
		return fmt.Errorf("prepare question %s: %w", quote.Short(q.Text), err)
	}
	e.prepared = append(e.prepared, in)
	for k, t := range in {
		if !t.Ok() {
			return fmt.Errorf("prepare question %s: tensor %d is nil or was freed", quote.Short(q.Text), k)
		}
	}
	return nil
}

// logP asks every question about pictures [batch, height, width, 3] and returns
// float32 [questions, batch]: log P(answer). Each overlay is laid over once and
// its questions are asked together. seen are the pictures as the verifier saw
// them, one node per overlay.
func (e *exam) logP(pictures *Node, n examNodes) (logP *Node, seen []*Node) {
	batch := pictures.Shape().Dim(0)
	rows := make([]*Node, len(e.questions))
	for g, v := range e.views {
		overlaid := v.apply(pictures, n.views[g])
		seen = append(seen, overlaid)
		asked := make([][]*Node, len(v.questions))
		for j, k := range v.questions {
			asked[j] = n.questions[k]
		}
		answers := e.verifier.LogProbs(overlaid, asked)
		if len(answers) != len(asked) {
			exceptions.Panicf("verifier %T answered %d of %d questions", e.verifier, len(answers), len(asked))
		}
		for j, k := range v.questions {
			answers[j].AssertDims(batch)
			rows[k] = ConvertDType(answers[j], dtypes.Float32)
		}
	}
	return Stack(rows, 0), seen
}

// rate is the graph function of a program that rates pictures: it reads pictures
// and inputs, and returns P(answer), float32 [questions, batch].
func (e *exam) rate(in *cursor) []*Node {
	pictures := in.one()
	logP, _ := e.logP(pictures, e.take(in))
	return []*Node{Exp(logP)}
}

// ask rates pictures on the device by a program of rate, and returns P(answer)
// per picture and question for the first of them.
func (e *exam) ask(ctx context.Context, rate *graphs.Program, pictures *tensors.Tensor, used int) ([][]float64, error) {
	out, err := rate.Run(ctx, pictures, e.inputs())
	if err != nil {
		return nil, err
	}
	defer graphs.Release(out...)
	flat, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return nil, fmt.Errorf("read the ratings: %w", err)
	}
	batch := len(flat) / len(e.questions)
	ratings := make([][]float64, used)
	for k := range ratings {
		for q := range e.questions {
			ratings[k] = append(ratings[k], float64(flat[q*batch+k]))
		}
	}
	return ratings, nil
}

func (e *exam) release() {
	if e == nil {
		return
	}
	releaseViews(e.views)
	for _, in := range e.prepared {
		graphs.Release(in...)
	}
}
