package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/internal/peak"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// loadings is the kind of orders for opening a checkpoint.
const loadings = "loading"

// memory is what a process has in memory, in bytes, before and after it opened a model; zero where the system does not tell.
type memory struct {
	Before residence `json:"before"`
	After  residence `json:"after"`
}

// residence is memory by where it comes from.
type residence struct {
	Private int64 `json:"private"` // the process's own
	Files   int64 `json:"files"`   // pages of files, which all processes share
	Fetched int64 `json:"fetched"` // not there, but fetched from disks so far: what was not in the page cache
}

func residenceNow() (r residence) {
	r.Private, r.Files = peak.Resident()
	r.Fetched = peak.Fetched()
	return r
}

// grown is how much more of each there is.
func (m memory) grown() residence {
	return residence{m.After.Private - m.Before.Private, max(0, m.After.Files-m.Before.Files), m.After.Fetched - m.Before.Fetched}
}

// loading opens the model of an order once in every run. It stays open.
type loading struct {
	order   order
	runtime *backends.Runtime
	models  []io.Closer
	used    memory
}

func (l *loading) run(ctx context.Context) (_, _ float64, err error) {
	l.used.Before = residenceNow()
	var m io.Closer
	if l.order.Verifier != "" {
		m, err = verifier.Open(ctx, l.runtime, l.order.Verifier, verifier.Options{})
	} else {
		m, err = generator.Open(ctx, l.runtime, l.order.Checkpoint, generator.Options{})
	}
	if err != nil {
		return 0, 0, fmt.Errorf("the checkpoint does not open: %w", err)
	}
	l.used.After = residenceNow()
	l.models = append(l.models, m)
	return 0, 0, nil
}

func (l *loading) tell(r *reply) { r.Memory = &l.used }

func (l *loading) peak() int64 { return peak.Process() }

func (l *loading) close() error {
	var errs []error
	for _, m := range slices.Backward(l.models) {
		errs = append(errs, m.Close())
	}
	return errors.Join(append(errs, l.runtime.Close())...)
}
