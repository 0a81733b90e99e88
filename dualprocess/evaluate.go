package dualprocess

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
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

	// Checkpoint is a folder where pictures and ratings are kept as they come: the same
	// Evaluation goes on behind them after a crash. Empty = nowhere.
	Checkpoint string

	// These are called on the caller's goroutine and may be nil; they must not close
	// the Runtime, which waits for them.
	Progress func(Rating) // after every picture, also of one that the checkpoint has
	Status   func(Status) // when something else begins to be done
}

// Rating is a picture with what was found about it.
type Rating struct {
	Prompt string
	Seed   int64
	Weight float64      // of the adapter; 0 is the base model
	P      []float64    // P(answer) of each question, in [0, 1]; NaN if it is not for the prompt
	Image  *image.NRGBA // clamped to 8 bits, without overlay
}

// MeanP returns the mean P(answer) over all questions asked about the pictures
// that were made at a weight, NaN if there are none.
func MeanP(ratings []Rating, weight float64) float64 {
	var all []float64
	for _, r := range ratings {
		if r.Weight != weight {
			continue
		}
		for _, p := range r.P {
			if !math.IsNaN(p) {
				all = append(all, p)
			}
		}
	}
	return mean(all)
}

// Evaluate makes a picture for every weight, prompt and seed, in this order, and
// rates each. Nothing is compiled twice. When an error comes, the ratings so far
// come with it.
//
// Like its training, a rating by a Verifier sees the picture before rounding to 8
// bits; a Scorer sees 8 bits, with the overlay. A Scorer is asked only what is for
// a picture's prompt.
//
// Errors wrap ErrTask for a setting that is wrong, ErrPrompt for words that a model
// does not know, and ErrNotFinite for a pixel or an answer that is no number; or
// they are the context's or a model's.
func Evaluate(ctx context.Context, e Evaluation) (ratings []Rating, err error) {
	defer named(&err)
	if err := firstError(checkContext(ctx), e.resolve()); err != nil {
		return nil, err
	}
	done, err := hold(e.Runtime, runtimeOf(e.Verifier, e.Runtime))
	if err != nil {
		return nil, err
	}
	defer done()
	defer e.Runtime.Trim()
	clock := &clock{began: time.Now(), tell: e.Status}
	return e.run(clock.observed(ctx), clock)
}

// run makes and rates all pictures.
func (e *Evaluation) run(ctx context.Context, clock *clock) (ratings []Rating, err error) {
	clock.phase(Encoding)
	s := newStudio(e.Runtime, e.Generator, e.Adapter, e.Batch)
	defer s.close()
	if err := s.prepare(ctx, e.Prompts...); err != nil {
		return nil, err
	}
	if err := s.plan.checkBatch("Batch", e.Runtime, e.Batch); err != nil {
		return nil, err
	}
	r, err := newRaterOf(ctx, e.Runtime, e.Verifier, e.Scorer, e.Questions, s.plan)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := freeEncoders(e.Verifier); err != nil {
		return nil, err
	}
	log, err := e.openLog(s, r)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	defer func() { err = cmp.Or(err, log.close()) }()
	clock.phase(Rendering)
	for _, weight := range e.Weights {
		if ratings, err = e.atWeight(ctx, s, r, log, weight, ratings); err != nil {
			return ratings, err
		}
	}
	return ratings, nil
}

// openLog opens the checkpoint; nil is none.
func (e *Evaluation) openLog(s *studio, r rater) (*ratingLog, error) {
	if e.Checkpoint == "" {
		return nil, nil
	}
	var id identity
	conditions, err := s.conditions.digest(0, len(e.Prompts))
	if err != nil {
		return nil, err
	}
	adapter := newDigest()
	if err := adapter.tensors(e.Adapter.Params()...); err != nil {
		return nil, err
	}
	id.is("Runtime", []any{e.Runtime.Name, e.Runtime.DType.String()})
	id.is("Prompts", e.Prompts)
	id.is("Generator", []any{fmt.Sprintf("%T", e.Generator), e.Generator.Steps(), s.plan.height, s.plan.width, conditions})
	id.is("Adapter", []any{e.Adapter.Form(), adapter.String()})
	id.is("Seeds", e.Seeds)
	id.is("Weights", e.Weights)
	id.is("Batch", e.Batch)
	if err := r.identify(&id); err != nil {
		return nil, err
	}
	return openRatings(e.Checkpoint, id)
}

// atWeight appends the ratings of all pictures at one weight.
func (e *Evaluation) atWeight(ctx context.Context, s *studio, r rater, log *ratingLog, weight float64, ratings []Rating) ([]Rating, error) {
	var jobs []job
	for row := range e.Prompts {
		for _, seed := range e.Seeds {
			jobs = append(jobs, job{seed, int32(row)})
		}
	}
	err := eachBatch(jobs, s.batch, func(seeds []int64, rows []int32, used int) error {
		made, err := log.take(used)
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if made == nil {
			if made, err = e.batch(ctx, s, r, weight, seeds, rows, used); err != nil {
				return err
			}
			if err := log.add(len(ratings), made...); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
		}
		ratings = append(ratings, made...)
		for _, rating := range made {
			if e.Progress != nil {
				e.Progress(rating)
			}
		}
		return nil
	})
	return ratings, err
}

// batch makes and rates pictures, of which so many are used.
func (e *Evaluation) batch(ctx context.Context, s *studio, r rater, weight float64, seeds []int64, rows []int32, used int) ([]Rating, error) {
	pictures, err := s.pictures(ctx, weight, seeds, rows)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(pictures)
	images, err := toImages(pictures, used)
	if err != nil {
		return nil, err
	}
	prompts := make([]string, used)
	for k := range prompts {
		prompts[k] = e.Prompts[rows[k]]
	}
	p, err := r.rate(ctx, pictures, prompts)
	if err != nil {
		return nil, err
	}
	made := make([]Rating, used)
	for k, prompt := range prompts {
		made[k] = Rating{Prompt: prompt, Seed: seeds[k], Weight: weight, P: p[k], Image: images[k]}
	}
	return made, nil
}

// resolve fills in defaults and checks everything.
func (e *Evaluation) resolve() error {
	setDefault(&e.Batch, 1)
	if e.Weights == nil {
		e.Weights = []float64{0}
		if e.Adapter != nil {
			e.Weights = append(e.Weights, e.Adapter.Weight())
		}
	}
	if err := firstError(checkSampler(e.Runtime, e.Generator, e.Batch), checkRatedBy("", e.Runtime, e.Verifier, e.Scorer)); err != nil {
		return err
	}
	if len(e.Seeds) == 0 {
		return invalid("Seeds", "at least one is needed")
	}
	if err := firstError(checkPrompts("Prompts", e.Prompts), checkQuestions("Questions", e.Questions, e.Prompts...)); err != nil {
		return err
	}
	for k, weight := range e.Weights {
		if err := isFinite(fmt.Sprintf("Weights[%d]", k), weight); err != nil {
			return err
		}
		if weight != 0 && e.Adapter == nil {
			return invalid("Weights", "there is no adapter to give the weight %g", weight)
		}
	}
	return nil
}
