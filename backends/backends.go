package backends

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/ml/model"
)

// ErrUnavailable is wrapped by the errors of Open that say that no backend, or not the one asked for, can be opened here.
var ErrUnavailable = errors.New("backend unavailable")

// Options of Open. The zero value opens the fastest backend that the machine has.
type Options struct {
	// Backend asks for one backend: "xla:cuda", "xla:cpu", "go", or any configuration in the syntax of GOMLX_BACKEND.
	// Empty means what GOMLX_BACKEND names, else the first of these three that works.
	Backend string
	// NoDownload forbids to download a missing PJRT plugin, as the environment variable DUALPROCESS_NO_DOWNLOAD=1 does.
	NoDownload bool
	// Logger receives what Open tries, at level Info; nil is silent.
	Logger *slog.Logger
	// Progress is told about downloads; nil is silent.
	Progress func(Download)
	// Seed of the store's random state; two runtimes with the same seed draw the same numbers.
	Seed int64
}

// Download describes a file on its way.
type Download struct {
	// Name of the file, for people.
	Name string
	// Done and Total are bytes; Total is 0 where the server does not say.
	Done, Total int64
}

// Runtime is what a process needs to compute: a backend, a store for variables, and the precision.
type Runtime struct {
	Backend compute.Backend
	// Store holds the weights of all models: each under a root of its own ("/generator", "/verifier").
	Store *model.Store
	// DType of computation: Float32 on CPUs, BFloat16 on CUDA. The only place that decides it.
	DType dtypes.DType
	// Name is "xla:cuda", "xla:cpu" or "go".
	Name string
	// Reason says why this backend was taken and why the faster ones were not: one line each.
	Reason string
}

// Open opens the backend that o asks for, or the best one that the machine has.
func Open(ctx context.Context, o Options) (*Runtime, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("backends: %w", err)
	}
	spec := o.Backend
	if spec == "" {
		spec = os.Getenv(compute.ConfigEnvVar)
	}
	var reasons []string
	if spec == "" || strings.HasPrefix(spec, "xla") {
		b, err := openXLA("cpu")
		if err == nil {
			return newRuntime(b, "xla:cpu", "xla:cpu taken", o)
		}
		if spec != "" {
			return nil, fmt.Errorf("backends: open %q: %w", spec, err)
		}
		reasons = append(reasons, "xla:cpu: "+err.Error())
	}
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("backends: open go: %w", err)
	}
	return newRuntime(b, "go", strings.Join(append(reasons, "go taken"), "\n"), o)
}

func newRuntime(b compute.Backend, name, reason string, o Options) (*Runtime, error) {
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(o.Seed); err != nil {
		b.Finalize()
		return nil, fmt.Errorf("backends: seed the store: %w", err)
	}
	return &Runtime{Backend: b, Store: store, DType: dtypes.Float32, Name: name, Reason: reason}, nil
}

// Close releases the backend and everything on it; a second call does nothing.
func (r *Runtime) Close() error {
	if r != nil && r.Backend != nil && !r.Backend.IsFinalized() {
		r.Backend.Finalize()
	}
	return nil
}
