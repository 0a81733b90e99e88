package vlm

import (
	"context"
	"fmt"
	"image"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// Score returns P(answer) of a picture, over which the question's overlay already
// lies: the exponential of the answer's mean log-probability per token, as Evaluate
// has it. It compiles once for each size of pictures and step in a question's
// length.
func (v *Verifier) Score(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	logP, err := v.rate(ctx, img, false, q)
	if err != nil {
		return 0, err
	}
	return math.Exp(logP[0]), nil
}

// YesNo returns P("Yes") / (P("Yes") + P("No")) of a picture: how much the model
// rather says Yes than No, whatever else it might say. q.Answer does not matter.
func (v *Verifier) YesNo(ctx context.Context, img image.Image, q dualprocess.Question) (float64, error) {
	yes, no := q, q
	yes.Answer, no.Answer = "Yes", "No"
	logP, err := v.rate(ctx, img, true, yes, no)
	if err != nil {
		return 0, err
	}
	return 1 / (1 + math.Exp(logP[1]-logP[0])), nil
}

// rate returns the log-probability of each answer: the mean over its tokens, or
// the sum, which is that of the whole answer.
func (v *Verifier) rate(ctx context.Context, img image.Image, sum bool, questions ...dualprocess.Question) ([]float64, error) {
	size := img.Bounds().Size()
	if _, err := v.view(size.Y, size.X); err != nil {
		return nil, fmt.Errorf("%s: %w", v.setup.Name, err)
	}
	inputs, key, err := v.questions(sum, questions)
	if err != nil {
		return nil, err
	}
	key = fmt.Sprintf("score %dx%d %s", size.X, size.Y, key)
	v.mu.Lock()
	defer v.mu.Unlock()
	out, err := v.run(ctx, key, func(in []*Node) []*Node {
		asked := make([][]*Node, len(questions))
		for k := range asked {
			asked[k] = in[1+4*k : 5+4*k]
		}
		return []*Node{Concatenate(v.LogProbs(in[0], asked), 0)}
	}, append([]any{pixels.FromImages(img)}, inputs...)...)
	if err != nil {
		return nil, fmt.Errorf("%s: score: %w", v.setup.Name, err)
	}
	defer graphs.Release(out...)
	logP := make([]float64, len(questions))
	for k, x := range tensors.MustCopyFlatData[float32](out[0]) {
		logP[k] = float64(x)
		if math.IsNaN(logP[k]) {
			return nil, fmt.Errorf("%s: score: the model's answer is not a number: %w", v.setup.Name, dualprocess.ErrNotFinite)
		}
	}
	return logP, nil
}

// questions prepares questions, padded to a common length, and names their shape.
func (v *Verifier) questions(sum bool, questions []dualprocess.Question) (inputs []any, key string, err error) {
	all, length, labels := make([]asked, len(questions)), 0, 0
	for k, q := range questions {
		if all[k], err = v.ask(q); err != nil {
			return nil, "", fmt.Errorf("%s: question %s, answer %s: %w", v.setup.Name, quote.Short(q.Prompt()), quote.Short(q.Answer), err)
		}
		length, labels = max(length, len(all[k].ids)), max(labels, all[k].labels)
	}
	length, labels = step(length, lengthStep), step(labels, labelStep)
	for _, a := range all {
		share := 1 / float64(a.labels)
		if sum {
			share = 1
		}
		for _, t := range a.padded(length, labels, share) {
			inputs = append(inputs, t)
		}
	}
	return inputs, fmt.Sprintf("%d questions %d %d", len(all), length, labels), nil
}

// Steps in which lengths grow, so that similar questions share an executable.
const (
	lengthStep = 16
	labelStep  = 4
)

func step(n, by int) int { return (n + by - 1) / by * by }
