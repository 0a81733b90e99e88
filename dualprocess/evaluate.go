package dualprocess

import (
	"context"
	"fmt"
	"image"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Evaluation says which pictures to make and what to ask about them. Runtime,
// Generator, Prompts, Seeds, Questions and either Verifier or Scorer must be given.
type Evaluation struct {
	Runtime   *backends.Runtime
	Generator Generator
	Verifier  Verifier // rates the pictures, or else
	Scorer    Scorer   // does

	Prompts   []string
	Seeds     []int64 // every prompt with every seed
	Questions []Question

	Adapter *lora.Adapter // nil = the base model
	Weights []float64     // of the adapter, each with all pictures; nil = 0 and that of its training, or 0 alone without an adapter
	Batch   int           // pictures at once on the device; 0 = 1

	Progress func(Rating) // called after every picture; may be nil
}

// Rating is a picture with what was found about it.
type Rating struct {
	Prompt string
	Seed   int64
	Weight float64      // of the adapter; 0 is the base model
	P      []float64    // P(answer) of each question, in [0, 1]
	Image  *image.NRGBA // clamped to 8 bits, without overlay
}

// MeanP returns the mean P(answer) over all questions of the ratings that were
// made at a weight, NaN if there are none.
func MeanP(ratings []Rating, weight float64) float64 {
	var all []float64
	for _, r := range ratings {
		if r.Weight == weight {
			all = append(all, r.P...)
		}
	}
	return mean(all)
}

// Evaluate makes a picture for every weight, prompt and seed, in this order, and
// rates each. Nothing is compiled twice. When an error comes, the ratings so far
// come with it.
//
// Like its training, a rating by a Verifier sees the picture before rounding to 8
// bits; a Scorer sees 8 bits, with the overlay.
func Evaluate(ctx context.Context, e Evaluation) ([]Rating, error) {
	if err := e.resolve(); err != nil {
		return nil, err
	}
	s, err := NewSampler(e.Runtime, e.Generator, e.Adapter, e.Batch)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.prepare(ctx, e.Prompts); err != nil {
		return nil, err
	}
	r, err := e.newRater(ctx, s.plan)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := freeEncoders(e.Generator, e.Verifier); err != nil {
		return nil, err
	}

	var ratings []Rating
	for _, weight := range e.Weights {
		if ratings, err = e.atWeight(ctx, s, r, weight, ratings); err != nil {
			return ratings, err
		}
	}
	return ratings, nil
}

// atWeight appends the ratings of all pictures at one weight.
func (e *Evaluation) atWeight(ctx context.Context, s *Sampler, r rater, weight float64, ratings []Rating) ([]Rating, error) {
	var jobs []job
	for row := range e.Prompts {
		for _, seed := range e.Seeds {
			jobs = append(jobs, job{seed, int32(row)})
		}
	}
	err := eachBatch(jobs, s.batch, func(seeds []int64, rows []int32, used int) error {
		pictures, err := s.pictures(ctx, weight, seeds, rows)
		if err != nil {
			return err
		}
		defer release(pictures)
		images, err := toImages(pictures, used)
		if err != nil {
			return err
		}
		p, err := r.rate(ctx, pictures, used)
		if err != nil {
			return err
		}
		for k := range used {
			rating := Rating{Prompt: e.Prompts[rows[k]], Seed: seeds[k], Weight: weight, P: p[k], Image: images[k]}
			ratings = append(ratings, rating)
			if e.Progress != nil {
				e.Progress(rating)
			}
		}
		return nil
	})
	return ratings, err
}

// resolve fills in defaults and checks what NewSampler does not.
func (e *Evaluation) resolve() error {
	if (e.Verifier == nil) == (e.Scorer == nil) {
		return invalid("Verifier", "exactly one of Verifier and Scorer must be given")
	}
	if len(e.Seeds) == 0 {
		return invalid("Seeds", "at least one is needed")
	}
	if err := firstError(checkPrompts("Prompts", e.Prompts), checkQuestions(e.Questions)); err != nil {
		return err
	}
	if e.Weights == nil {
		e.Weights = []float64{0}
		if e.Adapter != nil {
			e.Weights = append(e.Weights, e.Adapter.Weight())
		}
	}
	for k, weight := range e.Weights {
		if err := inRange(fmt.Sprintf("Weights[%d]", k), weight, -math.MaxFloat32, math.MaxFloat32); err != nil {
			return err
		}
		if weight != 0 && e.Adapter == nil {
			return invalid("Weights", "there is no adapter to give the weight %g", weight)
		}
	}
	return nil
}

// Score rates given pictures, all of one size: P(answer) per picture and question,
// in [0, 1]. What is transparent is laid over white.
func Score(ctx context.Context, rt *backends.Runtime, v Verifier, questions []Question, images ...image.Image) ([][]float64, error) {
	switch {
	case rt == nil || rt.Backend == nil:
		return nil, invalid("Runtime", "must be an open runtime")
	case v == nil:
		return nil, invalid("Verifier", "must be given")
	case len(images) == 0:
		return nil, invalid("Images", "at least one is needed")
	}
	if err := checkQuestions(questions); err != nil {
		return nil, err
	}
	pictures, err := fromImages(images)
	if err != nil {
		return nil, err
	}
	defer release(pictures)
	size := images[0].Bounds().Size()
	r, err := newVerifierRater(ctx, rt, v, questions, &plan{height: size.Y, width: size.X})
	if err != nil {
		return nil, err
	}
	defer r.close()
	return r.rate(ctx, pictures, len(images))
}

// rater says P(answer) per picture and question, for the first of a batch of
// pictures on the device.
type rater interface {
	rate(ctx context.Context, pictures *tensors.Tensor, used int) ([][]float64, error)
	close()
}

func (e *Evaluation) newRater(ctx context.Context, p *plan) (rater, error) {
	if e.Scorer != nil {
		return newScorerRater(e.Runtime, e.Scorer, e.Questions)
	}
	return newVerifierRater(ctx, e.Runtime, e.Verifier, e.Questions, p)
}
