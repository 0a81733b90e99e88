package dualprocess

import (
	"context"
	"fmt"
	"image"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
)

// verifierRater rates with a local model.
type verifierRater struct {
	exam    *exam
	program *program
}

func newVerifierRater(ctx context.Context, rt *backends.Runtime, v Verifier, questions []Question, p *plan) (*verifierRater, error) {
	e, err := newExam(ctx, v, questions, p.height, p.width)
	if err != nil {
		return nil, err
	}
	program, err := newProgram(rt, "rate pictures", e.rate)
	if err != nil {
		e.release()
		return nil, err
	}
	return &verifierRater{e, program}, nil
}

func (r *verifierRater) rate(ctx context.Context, pictures *tensors.Tensor, used int) ([][]float64, error) {
	return r.exam.ask(ctx, r.program, pictures, used)
}

func (r *verifierRater) close() {
	r.exam.release()
	r.program.close()
}

// scorerRater asks a Scorer, about pictures as a verifier would see them.
type scorerRater struct {
	scorer    Scorer
	questions []Question
	groups    []overlayGroup
	program   *program // lays all overlays over a batch of pictures
}

func newScorerRater(rt *backends.Runtime, s Scorer, questions []Question) (*scorerRater, error) {
	r := &scorerRater{scorer: s, questions: questions, groups: groupByOverlay(questions)}
	var err error
	r.program, err = newProgram(rt, "overlay", r.overlay)
	return r, err
}

// overlay is a graph function: pictures in, one overlaid version per group out.
func (r *scorerRater) overlay(in *cursor) []*Node {
	pictures := in.one()
	var out []*Node
	for _, group := range r.groups {
		if group.overlay == nil {
			out = append(out, Identity(pictures))
		} else {
			out = append(out, group.overlay.Apply(pictures))
		}
	}
	return out
}

func (r *scorerRater) rate(ctx context.Context, pictures *tensors.Tensor, used int) ([][]float64, error) {
	overlaid, err := r.program.run(ctx, pictures)
	if err != nil {
		return nil, err
	}
	defer release(overlaid...)
	p := make([][]float64, used)
	for k := range p {
		p[k] = make([]float64, len(r.questions))
	}
	for g, group := range r.groups {
		images, err := toImages(overlaid[g], used)
		if err != nil {
			return nil, err
		}
		for _, q := range group.questions {
			for k, img := range images {
				if p[k][q], err = r.score(ctx, img, r.questions[q]); err != nil {
					return nil, err
				}
			}
		}
	}
	return p, nil
}

// score asks once and checks the answer's range.
func (r *scorerRater) score(ctx context.Context, img image.Image, q Question) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p, err := r.scorer.Score(ctx, img, q)
	if err != nil {
		return 0, fmt.Errorf("dualprocess: score question %q: %w", q.Text, err)
	}
	if !(p >= 0 && p <= 1) {
		return 0, fmt.Errorf("dualprocess: score question %q: %T says %g, which is no probability", q.Text, r.scorer, p)
	}
	return p, nil
}

func (r *scorerRater) close() { r.program.close() }
