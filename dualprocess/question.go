package dualprocess

import "reflect"

// YesOrNo is the suffix that the paper appends to every question.
const YesOrNo = " Answer with Yes or No."

// Question is one thing that the verifier shall find true of the pictures.
type Question struct {
	Text   string // asked about each picture; must not be empty
	Answer string // the wanted answer, word for word; must not be empty
	Suffix string // appended to Text; empty = YesOrNo
	Bare   bool   // append nothing

	// Overlay is laid over each picture first; nil = none. Questions with equal
	// overlays are asked together about the same overlaid picture.
	Overlay Overlay
}

// Prompt returns the full text put to the model: the text and its suffix.
func (q Question) Prompt() string {
	switch {
	case q.Bare:
		return q.Text
	case q.Suffix != "":
		return q.Text + q.Suffix
	}
	return q.Text + YesOrNo
}

// overlayGroup is an overlay with the indices of the questions asked under it.
type overlayGroup struct {
	overlay   Overlay
	questions []int
}

// groupByOverlay collects the questions that look at the same picture, in the
// order of their first appearance.
func groupByOverlay(questions []Question) []overlayGroup {
	var groups []overlayGroup
next:
	for k, q := range questions {
		for g := range groups {
			if sameOverlay(groups[g].overlay, q.Overlay) {
				groups[g].questions = append(groups[g].questions, k)
				continue next
			}
		}
		groups = append(groups, overlayGroup{q.Overlay, []int{k}})
	}
	return groups
}

// sameOverlay compares with ==, except that overlays whose type has no == are
// taken to differ: the vision tower then runs once more, nothing worse.
func sameOverlay(a, b Overlay) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
