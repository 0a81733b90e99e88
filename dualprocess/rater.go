package dualprocess

import (
	"context"
	"fmt"
	"image"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// rater says P(answer) per picture and question, for the first of a batch of
// pictures on the device, as many as there are prompts that they were made from.
// Of a question that is not for a picture's prompt, it is NaN.
type rater interface {
	rate(ctx context.Context, pictures *tensors.Tensor, prompts []string) ([][]float64, error)
	identify(id *identity) error // adds who rates, and by what
	close()
}

// verifierRater rates with a local model.
type verifierRater struct {
	exam    *exam
	program *graphs.Program
}

func newVerifierRater(ctx context.Context, rt *backends.Runtime, v Verifier, questions []Question, height, width int) (*verifierRater, error) {
	e, err := newExam(ctx, rt, v, questions, height, width)
	if err != nil {
		return nil, err
	}
	return &verifierRater{e, e.program()}, nil
}

func (r *verifierRater) rate(ctx context.Context, pictures *tensors.Tensor, prompts []string) ([][]float64, error) {
	p, err := r.exam.rated(ctx, r.program, pictures, len(prompts))
	for k := range p {
		for q, question := range r.exam.questions {
			if !question.isFor(prompts[k]) {
				p[k][q] = math.NaN()
			} else if math.IsNaN(p[k][q]) {
				return nil, fmt.Errorf("%w: P(answer) of question %s", ErrNotFinite, quote.Short(question.Text))
			}
		}
	}
	return p, err
}

func (r *verifierRater) identify(id *identity) error { return r.exam.identify(id) }

func (r *verifierRater) close() {
	if r != nil {
		r.exam.release()
		r.program.Close()
	}
}

// scorerRater asks a Scorer, about pictures as a verifier would see them.
type scorerRater struct {
	scorer    Scorer
	questions []Question
	views     []view
	program   *graphs.Program // lays all overlays over a batch of pictures
}

func newScorerRater(rt *backends.Runtime, s Scorer, questions []Question, height, width int) (*scorerRater, error) {
	views, err := newViews(questions, height, width)
	if err != nil {
		return nil, err
	}
	r := &scorerRater{scorer: s, questions: questions, views: views}
	r.program = newProgram(rt, "overlay", viewForm(formOf(), views), r.overlay)
	return r, nil
}

// overlay is a graph function: pictures in, one overlaid version per view out.
func (r *scorerRater) overlay(in *cursor) []*Node {
	pictures := in.one()
	nodes := takeViews(in, r.views)
	var out []*Node
	for k, v := range r.views {
		out = append(out, Identity(v.apply(pictures, nodes[k])))
	}
	return out
}

func (r *scorerRater) rate(ctx context.Context, pictures *tensors.Tensor, prompts []string) ([][]float64, error) {
	overlaid, err := r.program.Run(ctx, pictures, viewInputs(r.views))
	if err != nil {
		return nil, err
	}
	defer graphs.Release(overlaid...)
	p := make([][]float64, len(prompts))
	for k := range p {
		p[k] = make([]float64, len(r.questions))
	}
	for g, view := range r.views {
		images, err := toImages(overlaid[g], len(prompts))
		if err != nil {
			return nil, err
		}
		for _, q := range view.questions {
			for k, img := range images {
				if p[k][q], err = r.score(ctx, img, r.questions[q], prompts[k]); err != nil {
					return nil, err
				}
			}
		}
	}
	return p, nil
}

// score asks once, unless the question is not for the picture's prompt, and checks
// the answer's range.
func (r *scorerRater) score(ctx context.Context, img image.Image, q Question, prompt string) (float64, error) {
	if !q.isFor(prompt) {
		return math.NaN(), nil
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p, err := r.scorer.Score(ctx, img, q)
	if err == nil && !(p >= 0 && p <= 1) {
		err = fmt.Errorf("%T says %g, which is no probability", r.scorer, p)
	}
	if err != nil {
		return 0, fmt.Errorf("score question %s: %w", quote.Short(q.Text), err)
	}
	return p, nil
}

func (r *scorerRater) identify(id *identity) error {
	identifyQuestions(id, r.questions)
	id.is("Scorer", fmt.Sprintf("%T", r.scorer))
	return identifyViews(id, r.views)
}

func (r *scorerRater) close() {
	if r != nil {
		releaseViews(r.views)
		r.program.Close()
	}
}
