package dualprocess

import (
	"fmt"
	"reflect"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// view is a picture as questions look at it: with an overlay, or without.
type view struct {
	overlay   Overlay // nil = none
	questions []int   // indices of the questions that look

	prepared []*tensors.Tensor // of an overlay that can be prepared; nil of all others
}

// newViews collects the questions that look at the same picture, in the order of
// their first appearance, and prepares the overlays for pictures of height x width
// pixels.
func newViews(questions []Question, height, width int) ([]view, error) {
	views := groupByOverlay(questions)
	for k := range views {
		p, ok := views[k].overlay.(Preparable)
		if !ok {
			continue
		}
		var err error
		if views[k].prepared, err = p.Prepare(height, width); err != nil {
			releaseViews(views)
			return nil, invalidBecause(fmt.Sprintf("Questions[%d].Overlay", views[k].questions[0]), err)
		}
	}
	return views, nil
}

// viewInputs lists the prepared overlays for a program.
func viewInputs(views []view) []any {
	var all []any
	for _, v := range views {
		all = append(all, v.prepared)
	}
	return all
}

// takeViews reads inputs in a graph, per view.
func takeViews(in *cursor, views []view) [][]*Node {
	nodes := make([][]*Node, len(views))
	for k, v := range views {
		nodes[k] = in.take(len(v.prepared))
	}
	return nodes
}

// viewForm adds what shapes a graph with the views. An overlay that cannot be
// prepared is part of the graph, and what it does there cannot be compared.
func viewForm(f *form, views []view) *form {
	for _, v := range views {
		f.add(v.questions, fmt.Sprintf("%T", v.overlay), len(v.prepared))
		f.own = f.own || v.overlay != nil && v.prepared == nil
	}
	return f
}

// apply is a graph function: the pictures as the questions look at them. prepared
// are the view's tensors in the graph.
func (v view) apply(pictures *Node, prepared []*Node) *Node {
	switch {
	case v.overlay == nil:
		return pictures
	case v.prepared == nil:
		return v.overlay.Apply(pictures)
	}
	return v.overlay.(Preparable).ApplyPrepared(pictures, prepared)
}

func releaseViews(views []view) {
	for _, v := range views {
		graphs.Release(v.prepared...)
	}
}

// groupByOverlay collects the questions that look at the same picture, in the
// order of their first appearance.
func groupByOverlay(questions []Question) []view {
	var views []view
next:
	for k, q := range questions {
		for g := range views {
			if sameOverlay(views[g].overlay, q.Overlay) {
				views[g].questions = append(views[g].questions, k)
				continue next
			}
		}
		views = append(views, view{overlay: q.Overlay, questions: []int{k}})
	}
	return views
}

// sameOverlay compares with ==, and by their contents where there is no such thing,
// as of a palette drawn from a slice of colours.
func sameOverlay(a, b Overlay) bool {
	if reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() {
		return a == b
	}
	return reflect.DeepEqual(a, b)
}
