package vlm

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Score returns P(answer) of a picture: the exponential of the answer's mean
// log-probability per token, as Evaluate has it.
func (v *Verifier) Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	logP, err := v.logProbs(ctx, img, false, q)
	if err != nil {
		return 0, fmt.Errorf("%s: score: %w", v.setup.Name, err)
	}
	return math.Exp(logP[0]), nil
}

// YesNo returns P("Yes") / (P("Yes") + P("No")) of a picture.
func (v *Verifier) YesNo(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	yes, no := q, q
	yes.Answer, no.Answer = "Yes", "No"
	logP, err := v.logProbs(ctx, img, true, yes, no)
	if err != nil {
		return 0, fmt.Errorf("%s: score: %w", v.setup.Name, err)
	}
	return Share(logP[0], logP[1]), nil
}

// Share is p / (p + q) of two log-probabilities.
func Share(logP, logQ float64) float64 { return 1 / (1 + math.Exp(logQ-logP)) }

// logProbs returns the log-probability of each answer: the mean over its tokens, or
// the sum, which is that of the whole answer.
func (v *Verifier) logProbs(ctx context.Context, img image.Image, sum bool, questions ...dualprocess.Question) ([]float64, error) {
	if err := v.checkPicture(ctx, img); err != nil {
		return nil, err
	}
	inputs, key, err := v.pad(sum, questions)
	if err != nil {
		return nil, err
	}
	return v.programs.LogProbs(ctx, v, img, key, inputs)
}

// checkPicture returns the error of a picture that the model cannot look at.
func (v *Verifier) checkPicture(ctx context.Context, img image.Image) error {
	if err := CheckPicture(ctx, img); err != nil {
		return err
	}
	size := img.Bounds().Size()
	_, err := v.prefix(size.Y, size.X)
	return err
}

// pad prepares questions, padded to a common length, and names their shape.
func (v *Verifier) pad(sum bool, questions []dualprocess.Question) (inputs []dualprocess.Inputs, key string, err error) {
	all, length, labels := make([]encoded, len(questions)), 0, 0
	for k, q := range questions {
		if all[k], err = v.encode(q); err != nil {
			return nil, "", err
		}
		length, labels = max(length, len(all[k].suffix)), max(labels, all[k].labels)
	}
	length, labels = roundUp(length, lengthStep), roundUp(labels, labelStep)
	for _, e := range all {
		weight := 1 / float64(e.labels)
		if sum {
			weight = 1
		}
		inputs = append(inputs, e.padded(length, labels, weight))
	}
	return inputs, fmt.Sprintf(" of %d tokens with %d labels", length, labels), nil
}

// Steps in which lengths grow, so that similar questions share an executable.
const (
	lengthStep = 16
	labelStep  = 4
)

func roundUp(n, step int) int { return (n + step - 1) / step * step }
