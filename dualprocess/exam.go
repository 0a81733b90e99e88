package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// exam is a verifier with its questions prepared for pictures of one size.
type exam struct {
	verifier  Verifier
	questions []Question
	groups    []overlayGroup
	prepared  []Inputs // per question
}

// newExam prepares the questions for pictures of height x width pixels.
func newExam(ctx context.Context, v Verifier, questions []Question, height, width int) (*exam, error) {
	e := &exam{verifier: v, questions: questions, groups: groupByOverlay(questions)}
	for _, q := range questions {
		if err := ctx.Err(); err != nil {
			e.release()
			return nil, err
		}
		in, err := v.Prepare(ctx, q, height, width)
		if err != nil {
			e.release()
			return nil, fmt.Errorf("dualprocess: prepare question %q: %w", q.Text, err)
		}
		e.prepared = append(e.prepared, in)
	}
	return e, nil
}

// inputs lists the prepared tensors of all questions, in order.
func (e *exam) inputs() []*tensors.Tensor {
	var all []*tensors.Tensor
	for _, in := range e.prepared {
		all = append(all, in...)
	}
	return all
}

// take reads the nodes of inputs in a graph, per question.
func (e *exam) take(in *cursor) [][]*Node {
	nodes := make([][]*Node, len(e.prepared))
	for k := range e.prepared {
		nodes[k] = in.take(len(e.prepared[k]))
	}
	return nodes
}

// logP asks every question about pictures [batch, height, width, 3] and returns
// float32 [questions, batch]: log P(answer). Each overlay is laid over once and
// its questions are asked together. seen are the pictures as the verifier saw
// them, one node per overlay.
func (e *exam) logP(pictures *Node, nodes [][]*Node) (logP *Node, seen []*Node) {
	batch := pictures.Shape().Dim(0)
	rows := make([]*Node, len(e.questions))
	for _, group := range e.groups {
		overlaid := pictures
		if group.overlay != nil {
			overlaid = group.overlay.Apply(pictures)
		}
		seen = append(seen, overlaid)
		asked := make([][]*Node, len(group.questions))
		for j, k := range group.questions {
			asked[j] = nodes[k]
		}
		answers := e.verifier.LogProbs(overlaid, asked)
		if len(answers) != len(asked) {
			exceptions.Panicf("verifier %T answered %d of %d questions", e.verifier, len(answers), len(asked))
		}
		for j, k := range group.questions {
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

func (e *exam) release() {
	if e != nil {
		release(e.inputs()...)
	}
}
