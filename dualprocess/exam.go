package dualprocess

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// exam is a verifier with its questions prepared for pictures of one size.
type exam struct {
	from      *backends.Runtime // of the pictures
	runtime   *backends.Runtime // of the verifier, mostly the same
	verifier  Verifier
	questions []Question
	views     []view
	prepared  []Inputs // per question
	against   []Inputs // the same with the answer that it is held against; empty where there is none
}

// inputs lists the prepared tensors of all views and questions, in order.
func (e *exam) inputs() []any {
	all := viewInputs(e.views)
	for _, in := range slices.Concat(e.prepared, e.against) {
		all = append(all, []*tensors.Tensor(in))
	}
	return all
}

// examNodes are inputs in a graph.
type examNodes struct {
	views     [][]*Node
	questions [][]*Node
	against   [][]*Node
}

// take reads inputs in a graph.
func (e *exam) take(in *cursor) (n examNodes) {
	n.views = takeViews(in, e.views)
	for _, prepared := range e.prepared {
		n.questions = append(n.questions, in.take(len(prepared)))
	}
	for _, prepared := range e.against {
		n.against = append(n.against, in.take(len(prepared)))
	}
	return n
}

// form adds what shapes a graph that asks the questions.
func (e *exam) form(f *form) *form {
	for _, in := range slices.Concat(e.prepared, e.against) {
		f.add(len(in))
	}
	for _, q := range e.questions {
		f.add(q.againstWeight())
	}
	return viewForm(f, e.views)
}

// newExam prepares the questions for pictures of height x width pixels, which are made on
// the runtime; so is the verifier unless it says on which else.
func newExam(ctx context.Context, rt *backends.Runtime, v Verifier, questions []Question, height, width int) (e *exam, err error) {
	e = &exam{from: rt, runtime: runtimeOf(v, rt), verifier: v, questions: questions}
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

// prepare adds a question and, where there is one, the answer that it is held against.
func (e *exam) prepare(ctx context.Context, q Question, height, width int) error {
	in, err := e.read(ctx, q, height, width)
	e.prepared = append(e.prepared, in)
	if err != nil {
		return err
	}
	var other Inputs
	if q.Against != "" {
		q.Suffix, q.Bare = strings.TrimPrefix(q.Prompt(), q.Text), q.Prompt() == q.Text // as for the wanted answer
		q.Answer = q.Against
		other, err = e.read(ctx, q, height, width)
	}
	e.against = append(e.against, other)
	return err
}

// read prepares a question with its answer; what it returns is to be released even if
// there is an error.
func (e *exam) read(ctx context.Context, q Question, height, width int) (Inputs, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	prepare := e.verifier.Prepare
	if p, ok := e.verifier.(Padder); ok {
		prepare = p.PreparePadded
	}
	in, err := prepare(ctx, q, height, width)
	if err != nil {
		return nil, fmt.Errorf("prepare question %s: %w", quote.Short(q.Text), err)
	}
	for k, t := range in {
		if !t.Ok() {
			return in, fmt.Errorf("prepare question %s: tensor %d is nil or was freed", quote.Short(q.Text), k)
		}
	}
	return in, nil
}

// answers are what a verifier said about pictures, in a graph.
type answers struct {
	logP   *Node   // log P(answer), float32 [questions, batch]
	margin *Node   // the same less the share of log P of the answer that it is held against: what is learnt from
	seen   []*Node // the pictures as the verifier saw them, one node per overlay
}

// ask asks every question about pictures [batch, height, width, 3]. Each overlay is
// laid over once and its questions are asked together.
func (e *exam) ask(pictures *Node, n examNodes) (a answers) {
	rows, margins := make([]*Node, len(e.questions)), make([]*Node, len(e.questions))
	contrasted := false
	for g, v := range e.views {
		overlaid := v.apply(pictures, n.views[g])
		a.seen = append(a.seen, overlaid)
		asked := make([][]*Node, len(v.questions))
		var contrasts []int // questions
		for j, k := range v.questions {
			asked[j] = n.questions[k]
			if len(e.questions[k].Against) > 0 {
				contrasts = append(contrasts, k)
			}
		}
		for _, k := range contrasts {
			asked = append(asked, n.against[k])
		}
		said := e.logProbs(overlaid, asked)
		for j, k := range v.questions {
			rows[k], margins[k] = said[j], said[j]
		}
		for j, k := range contrasts {
			margins[k] = Sub(rows[k], MulScalar(said[len(v.questions)+j], e.questions[k].againstWeight()))
		}
		contrasted = contrasted || len(contrasts) > 0
	}
	a.logP = Stack(rows, 0)
	if a.margin = a.logP; contrasted {
		a.margin = Stack(margins, 0)
	}
	return a
}

// logProbs asks the verifier, and checks what it says: float32 [batch] per question.
func (e *exam) logProbs(pictures *Node, asked [][]*Node) []*Node {
	said := e.verifier.LogProbs(pictures, asked)
	if len(said) != len(asked) {
		exceptions.Panicf("verifier %T answered %d of %d questions", e.verifier, len(said), len(asked))
	}
	for k, x := range said {
		x.AssertDims(pictures.Shape().Dim(0))
		said[k] = ConvertDType(x, dtypes.Float32)
	}
	return said
}

// rate is the graph function of a program that rates pictures: it reads pictures
// and inputs, and returns P(answer), float32 [questions, batch].
func (e *exam) rate(in *cursor) []*Node {
	pictures := in.one()
	return []*Node{Exp(e.ask(pictures, e.take(in)).logP)}
}

// bring has pictures where the verifier can see them, until they are released.
func (e *exam) bring(pictures *tensors.Tensor) (seen *tensors.Tensor, release func(), err error) {
	if e.from == e.runtime {
		return pictures, func() {}, nil
	}
	copies, err := ferried(pictures)
	return copies[0], func() { graphs.Release(copies...) }, err
}

// program is one of rate.
func (e *exam) program() *graphs.Program {
	return newProgram(e.runtime, "rate pictures", e.form(formOf()), e.rate, e.verifier)
}

// rated rates pictures on the device by a program of rate, and returns P(answer)
// per picture and question for the first of them.
func (e *exam) rated(ctx context.Context, rate *graphs.Program, pictures *tensors.Tensor, used int) ([][]float64, error) {
	seen, release, err := e.bring(pictures)
	if err != nil {
		return nil, err
	}
	defer release()
	out, err := rate.Run(ctx, seen, e.inputs())
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
	for _, in := range slices.Concat(e.prepared, e.against) {
		graphs.Release(in...)
	}
}
