package dualprocess

import (
	"slices"
	"strings"
)

// YesOrNo is the suffix that the paper appends to its questions.
const YesOrNo = " Answer with Yes or No."

// Question is one thing that the verifier shall find true of the pictures.
type Question struct {
	Text   string // asked about each picture; must not be empty
	Answer string // the wanted answer, word for word; must not be empty
	Suffix string // appended to Text; empty = YesOrNo where the answer is Yes or No, else nothing
	Bare   bool   // append nothing

	// Against is another answer. The loss is then log P(Against) - log P(Answer) in place
	// of -log P(Answer). It falls by evidence alone, not by the verifier's becoming readier
	// to say either, which helps where a verifier gives most of its probability to neither;
	// and it goes on pulling where the answer is almost certain, which brings what is asked
	// for nearer. But for that it has no end: use it with Drift or StopAt, or with little
	// AgainstWeight. With the pocket models in 8 steps, one run of 60 updates each with Drift
	// 0.1, the horizon came as near to its line as 0.022, where -log P brought it to 0.057 and
	// an AgainstWeight of 0.1 to 0.039; all began at 0.226.
	// Empty = none; P(answer) is not touched by it.
	Against string
	// AgainstWeight is that of log P(Against) beside that of -log P(Answer), so that the
	// loss has both the end of the one and a little of the other's pull; 0 = 1, else
	// in (0, 1].
	AgainstWeight float64

	// Overlay is laid over each picture first; nil = none. Questions with equal
	// overlays are asked together about the same overlaid picture.
	Overlay Overlay

	// Weight is that of the question's -log P(answer) in a picture's loss, relative
	// to the other questions'; 0 = 1, else in [1e-18, 1e18].
	Weight float64
	// Prompts are those whose pictures the question is asked about, word for word
	// as the task has them; nil = all. The verifier reads all questions about all
	// pictures even so: what is not asked takes time and counts for nothing.
	Prompts []string
}

// Prompt returns the full text put to the model: the text and its suffix.
func (q Question) Prompt() string {
	answer := strings.TrimSpace(q.Answer)
	switch {
	case q.Bare:
		return q.Text
	case q.Suffix != "":
		return q.Text + q.Suffix
	case strings.EqualFold(answer, "Yes") || strings.EqualFold(answer, "No"):
		return q.Text + YesOrNo
	}
	return q.Text
}

// isFor tells whether the question is asked about pictures of a prompt.
func (q Question) isFor(prompt string) bool {
	return len(q.Prompts) == 0 || slices.Contains(q.Prompts, prompt)
}

// againstWeight is AgainstWeight with its default.
func (q Question) againstWeight() float64 {
	setDefault(&q.AgainstWeight, 1)
	return q.AgainstWeight
}

// weight is Weight with its default.
func (q Question) weight() float64 {
	setDefault(&q.Weight, 1)
	return q.Weight
}
