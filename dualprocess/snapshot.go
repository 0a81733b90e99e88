package dualprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/lora"
)

// ErrStop is what a callback returns to end a training early, without an error.
var ErrStop = errors.New("stop")

// Snapshots say what is shown of a training on the way.
type Snapshots struct {
	Every   int      // so many updates, and after the last; 0 = 10
	Prompts []string // of the pictures; nil = the task's
	Seeds   []int64  // every prompt with every seed; nil = no pictures

	// Do is told; nil = there are no snapshots. ErrStop ends the training without an
	// error, with the adapter as it is now; any other error ends it with that. What it
	// is given may be kept.
	Do func(*Snapshot) error
}

// Snapshot is a training at one moment.
type Snapshot struct {
	Update  Update        // the last one
	Adapter *lora.Adapter // as it is now
	// Ratings are the pictures asked for, made by the programs of the training, and
	// P(answer) of the task's questions; NaN for those that are not for the prompt.
	Ratings []Rating

	state *saved
}

// WriteTo writes all that the training needs to go on from here: a file of
// Checkpoint.Folder. Name says how to call it.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) { return s.state.writeTo(w) }

// Name is that of the checkpoint's file.
func (s *Snapshot) Name() string { return s.state.name() }

// show makes a snapshot where one is due, and says whether to stop.
func (d *distiller) show(ctx context.Context, u Update, last bool) (stop bool, err error) {
	s := &d.Snapshots
	if s.Do == nil || u.Number%s.Every != 0 && !last {
		return false, nil
	}
	d.clock.phase(Showing)
	snapshot := &Snapshot{Update: u}
	if snapshot.state, err = d.save(); err != nil {
		return false, err
	}
	snapshot.Adapter = snapshot.state.adapter
	if snapshot.Ratings, err = d.preview(ctx); err != nil {
		return false, fmt.Errorf("snapshot after update %d: %w", u.Number, err)
	}
	err = s.Do(snapshot)
	if errors.Is(err, ErrStop) {
		return true, nil
	}
	return false, err
}

// preview makes the pictures of a snapshot.
func (d *distiller) preview(ctx context.Context) (ratings []Rating, err error) {
	var jobs []job
	for _, prompt := range d.Snapshots.Prompts {
		for _, seed := range d.Snapshots.Seeds {
			jobs = append(jobs, job{seed, int32(slices.Index(d.prompts, prompt))})
		}
	}
	err = d.rated(ctx, d.adapted(), jobs, func(jobs []job, pictures *tensors.Tensor, p [][]float64) error {
		images, err := toImages(pictures, len(jobs))
		for k, img := range images {
			r := Rating{Prompt: d.prompts[jobs[k].row], Seed: jobs[k].seed, Weight: d.Weight, P: p[k], Image: img}
			for q, question := range d.Questions {
				if !question.isFor(r.Prompt) {
					r.P[q] = math.NaN()
				}
			}
			ratings = append(ratings, r)
		}
		return err
	})
	return ratings, err
}

// rated makes pictures in full with an adapter, rates them, and gives both to each
// batch by batch; the pictures stay on the device and are freed.
func (d *distiller) rated(ctx context.Context, a *adapted, jobs []job, each func(jobs []job, pictures *tensors.Tensor, p [][]float64) error) error {
	start := 0
	return eachBatch(jobs, d.Batch, func(seeds []int64, rows []int32, used int) error {
		clean, err := d.denoiser.fromSeeds(ctx, a, seeds, rows, d.Generator.Steps())
		if err != nil {
			return err
		}
		defer graphs.Release(clean)
		pictures, err := d.programs.decode.Run(ctx, clean)
		if err != nil {
			return err
		}
		defer graphs.Release(pictures...)
		p, err := d.exam.rated(ctx, d.programs.rate, pictures[0], used)
		if err != nil {
			return err
		}
		start += used
		return each(jobs[start-used:start], pictures[0], p)
	})
}
