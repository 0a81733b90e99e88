package dualprocess

import (
	"context"
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
)

// Judge is a second opinion of the pictures of StopAt.Seeds: a model that the training
// never asks for a gradient, so that nothing in the pictures is made to please it. The
// best is one of another family than the verifier, or a measurement. Its P(answer)
// stands beside the verifier's in Update.Findings, and decides which adapter is
// returned; see StopAt.
//
// Either Verifier or Scorer is given; neither is no judge. To go on from a checkpoint
// exactly, it has to say the same of the same pictures again.
type Judge struct {
	Verifier Verifier
	Scorer   Scorer

	Questions []Question // that it is asked, at least one for every prompt; nil = the task's

	// Gap is the share of the verifier's rise, since the base model, by which the gap
	// between its P(answer) and the judge's may have widened; beyond it, reward hacking is
	// suspected. 0 = 0.75: the judge must have risen by a quarter as much. It is a share,
	// as no two models are sure of the same to the same degree; rises up to 0.1 are none.
	// With the pocket models and measurements as judges, the gap widened by at most 0.75
	// of such rises at the six examples' defaults, and by 1.1 for a horizon at 30 times the
	// learning rate, where the judge's fell. A composition and lit windows began with rises
	// of 0.09 and 0.06 that the judge did not follow at all.
	Gap float64
}

// leastRise of P(answer) is one.
const leastRise = .1

// given tells whether there is a judge.
func (j *Judge) given() bool { return j.Verifier != nil || j.Scorer != nil }

// resolve fills in defaults and checks everything.
func (j *Judge) resolve(t *Task) error {
	if !j.given() {
		if j.Questions != nil || j.Gap != 0 {
			return invalid("Judge", "needs a Verifier or a Scorer")
		}
		return nil
	}
	if t.StopAt.Seeds == nil {
		return invalid("Judge", "needs StopAt.Seeds, of whose pictures it is asked")
	}
	if j.Questions == nil {
		j.Questions = t.Questions
	}
	setDefault(&j.Gap, 0.75)
	return firstError(
		checkRatedBy("Judge.", t.Runtime, j.Verifier, j.Scorer),
		checkQuestions("Judge.Questions", j.Questions, t.Prompts...),
		inRange("Judge.Gap", j.Gap, math.SmallestNonzeroFloat64, math.MaxFloat32),
	)
}

// checkRatedBy checks who rates pictures, in the fields Verifier and Scorer of what has
// the prefix.
func checkRatedBy(prefix string, rt *backends.Runtime, v Verifier, s Scorer) error {
	switch {
	case (v == nil) == (s == nil):
		return invalid(prefix+"Verifier", "exactly one of Verifier and Scorer must be given")
	case s == nil:
		return checkVerifier(prefix+"Verifier", rt, v)
	case isNil(s):
		return invalid(prefix+"Scorer", "must be given%s", ofType(s))
	}
	return nil // on whatever runtime: it is given images
}

// newRaterOf returns the rater of whichever of the two is given.
func newRaterOf(ctx context.Context, rt *backends.Runtime, v Verifier, s Scorer, questions []Question, p *plan) (rater, error) {
	if s != nil {
		return newScorerRater(rt, s, questions, p.height, p.width)
	}
	return newVerifierRater(ctx, rt, v, questions, p.height, p.width)
}

// judge returns what the task's judge says of the first of a batch of pictures.
func (d *distiller) judge(ctx context.Context, pictures *tensors.Tensor, jobs []job) ([]float64, error) {
	if d.rater == nil {
		return nil, nil
	}
	prompts := make([]string, len(jobs))
	for k, j := range jobs {
		prompts[k] = d.prompts[j.row]
	}
	p, err := d.rater.rate(ctx, pictures, prompts)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	var asked []float64
	for _, ofPicture := range p {
		for _, x := range ofPicture {
			if !math.IsNaN(x) { // else the question is not for the prompt
				asked = append(asked, x)
			}
		}
	}
	return asked, nil
}
