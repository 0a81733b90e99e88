package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// errBusy says that the queue is full.
var errBusy = errors.New("too many jobs are waiting")

// studio trains one job after the other, and makes pictures with any adapter that it
// has trained.
type studio struct {
	basis   dualprocess.Task
	folder  string
	limits  limits
	logger  *slog.Logger
	sampler *dualprocess.Sampler
	metrics metrics

	mu      sync.Mutex
	jobs    map[string]*job
	waiting []*job
	more    chan struct{} // holds a value when a job has been added
}

// newStudio opens the folder of jobs; those that are not done wait to be trained.
func newStudio(basis dualprocess.Task, folder string, l limits, logger *slog.Logger) (*studio, error) {
	s := &studio{basis: basis, folder: folder, limits: l, logger: logger, jobs: map[string]*job{}, more: make(chan struct{}, 1)}
	layers, err := dualprocess.Layers(basis.Runtime, basis.Generator)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries { // the oldest first: names begin with a number
		j, err := openJob(filepath.Join(folder, e.Name()), layers)
		if err != nil {
			logger.Warn("passed over", "folder", e.Name(), "why", err)
			continue
		}
		s.jobs[e.Name()] = j
		if j.report.State == "queued" || j.report.State == "training" {
			s.waiting = append(s.waiting, j)
		}
	}
	s.sampler, err = dualprocess.NewSampler(basis.Runtime, basis.Generator, dualprocess.SamplerOptions{})
	return s, err
}

// add queues an order.
func (s *studio) add(r report, sketch image.Image) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= s.limits.waiting {
		return nil, errBusy
	}
	r.ID, r.State = fmt.Sprintf("%06d-%s", len(s.jobs), rand.Text()), "queued"
	j, err := newJob(filepath.Join(s.folder, r.ID), r, sketch)
	if err != nil {
		return nil, err
	}
	s.jobs[r.ID], s.waiting = j, append(s.waiting, j)
	select {
	case s.more <- struct{}{}:
	default: // it holds one already
	}
	return j, nil
}

// find returns a job, nil if there is none of that name.
func (s *studio) find(id string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.jobs[id]
}

// queue is the number of jobs that wait.
func (s *studio) queue() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// next waits for a job to train; nil when the context has ended.
func (s *studio) next(ctx context.Context) (j *job) {
	for ctx.Err() == nil {
		s.mu.Lock()
		if len(s.waiting) > 0 {
			j = s.waiting[0]
			s.waiting = slices.Delete(s.waiting, 0, 1)
		}
		s.mu.Unlock()
		if j != nil {
			return j
		}
		select {
		case <-s.more:
		case <-ctx.Done():
		}
	}
	return nil
}

// train trains jobs until the context ends. The one under way is left as it is: the
// next process goes on from its checkpoint.
func (s *studio) train(ctx context.Context) {
	for j := s.next(ctx); j != nil; j = s.next(ctx) {
		s.logger.Info("training", "job", j.report.ID)
		j.change(func(r *report) { r.State = "training" })
		limited, cancel := context.WithTimeout(ctx, s.limits.job)
		adapter, err := dualprocess.Distill(limited, j.task(s.basis, &s.metrics))
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.metrics.failed.Add(1)
		} else {
			s.metrics.done.Add(1)
		}
		s.logger.Info("trained", "job", j.report.ID, "error", errors.Join(err, j.finish(adapter, err)))
	}
}
