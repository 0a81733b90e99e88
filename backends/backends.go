package backends

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Errors of Open, wrapped with the details; see also ErrClosed.
var (
	// ErrUnavailable: the backend that was asked for cannot be opened on this machine.
	ErrUnavailable = errors.New("backend unavailable")
	// ErrNoDownload: a plugin is missing, and downloading it was forbidden.
	ErrNoDownload = errors.New("downloads are forbidden")
	// ErrOptions: the options make no sense.
	ErrOptions = errors.New("invalid options")
)

// NoDownloadEnv names the environment variable that forbids downloads when it is set to anything but a false value.
const NoDownloadEnv = "DUALPROCESS_NO_DOWNLOAD"

// Options of Open. The zero value opens the fastest backend that the machine has.
type Options struct {
	// Backend asks for one backend: "xla:cuda", "xla:cpu", "go", or any configuration in the syntax of GOMLX_BACKEND.
	// Empty means what GOMLX_BACKEND names, else the first of these three that works.
	Backend string
	// NoDownload forbids downloading a missing plugin.
	NoDownload bool
	// Device is the number of the CUDA card to open, of those that the driver shows to the process. Runtimes of two cards
	// work side by side in one process: see dualprocess.Task.Split. Other backends have a device 0 alone.
	Device int
	// Preallocate is the share of a CUDA card's memory, in [0, 1], to take when opening; 0 takes memory as needed, up to
	// 95 %.
	Preallocate float64
	// PlainMalloc leaves the C library's allocator as it is. By default, where XLA computes on the CPU and the library
	// is glibc, the process is told to keep freed memory for the next update and to use one arena: an update is up to
	// a fifth faster so. It holds for all C code of the process, not for Go's memory.
	PlainMalloc bool
	// PlainAttention computes attention by matrix products and softmax where cuDNN has it in one kernel: on a CUDA card, in
	// half precision, from 512 tokens on. The kernel takes less than half of the time and never holds the scores.
	PlainAttention bool
	// Offload keeps weights on the host while no program computes with them: before one runs, those of all others leave
	// the device, and its own come back. Programs of the runtime take turns then. It is for cards that hold one model and
	// not two; see dualprocess.Task.Split, whose programs have one model each. An update takes longer by the time that
	// the weights of both models take to the card.
	Offload bool
	// Memory is the memory of the device that may be used, in bytes; 0 is what the system says is free. Work that would need
	// more is refused, and CheckpointAuto goes by it.
	Memory int64
	// Seed of the store's random state: two runtimes with the same seed draw the same numbers.
	Seed int64
	// Logger receives at level Info what Open tries, and what models do otherwise than their folders say; nil is silent.
	Logger *slog.Logger
	// Progress is told about downloads, a few times per second, in the goroutine of Open; nil is silent.
	Progress func(Download)
}

// Download tells how far a file is.
type Download struct {
	// Name of what is fetched, for people.
	Name string
	// Done and Total are bytes; Total is 0 where the server does not say.
	Done, Total int64
}

// Runtime is what a process needs to compute: a backend, a store for variables, and the precision. A process has one.
type Runtime struct {
	Backend compute.Backend
	// Store holds the weights of all models, each below a root of its own ("/generator", "/verifier"): two stores in
	// one graph would collide by path.
	Store *model.Store
	// DType of computation: BFloat16 on CUDA, else Float32. This is the place that decides it; weights keep the
	// precision of their checkpoint, and what must be exact (norms, softmax, loss, adapter) is Float32 anyway.
	DType dtypes.DType
	// Name is "xla:cuda", "xla:cpu", "go", or what else the caller named.
	Name string
	// Reason has one line for the backend that was taken and one for each that was not, and why.
	Reason string

	users  *users
	table  *table
	logger *slog.Logger
	memory int64 // free on the device before anything was opened, in bytes; 0 if unknown

	offload  bool          // weights leave the device while nothing computes with them
	supposed Checkpointing // of all models, on a sketch; CheckpointAuto leaves it to them
}

// Open opens the backend that o asks for, or the best one that the machine has, and a seeded store. It may download a
// plugin (see the package comment); ctx ends that. Errors wrap ErrUnavailable, ErrNoDownload, ErrOptions (a
// context that is nil, too) or the context's error.
func Open(ctx context.Context, o Options) (*Runtime, error) {
	o, err := o.resolved(ctx)
	if err != nil {
		return nil, err
	}
	choices, from, err := candidates(o.Backend)
	if err != nil {
		return nil, err
	}
	return openFirst(ctx, choices, from, o)
}

// resolved checks the options and fills in their defaults.
func (o Options) resolved(ctx context.Context) (Options, error) {
	switch {
	case ctx == nil:
		return o, fmt.Errorf("backends: the context is nil: %w", ErrOptions)
	case o.Preallocate < 0 || o.Preallocate > 1 || math.IsNaN(o.Preallocate):
		return o, fmt.Errorf("backends: Preallocate is %v, want a share in [0, 1]: %w", o.Preallocate, ErrOptions)
	case o.Device < 0:
		return o, fmt.Errorf("backends: Device is %d, want the number of a card: %w", o.Device, ErrOptions)
	case o.Memory < 0:
		return o, fmt.Errorf("backends: Memory is %d, want bytes: %w", o.Memory, ErrOptions)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(Download) {}
	}
	o.NoDownload = o.NoDownload || downloadsForbidden()
	return o, nil
}

// openFirst opens the first choice that works, and remembers why it passed over the others. from says who chose.
func openFirst(ctx context.Context, choices []choice, from string, o Options) (*Runtime, error) {
	var lines []string
	var errs []error
	for i, c := range choices {
		memory := usableMemory(ctx, c, o) // before a preallocation takes it
		b, detail, err := c.open(ctx, o)
		if ctx.Err() != nil {
			if err == nil {
				b.Finalize()
			}
			return nil, fmt.Errorf("backends: %w", context.Cause(ctx))
		}
		if err != nil {
			lines = append(lines, fmt.Sprintf("%s: not taken, %s", c.name(), why(err)))
			errs = append(errs, fmt.Errorf("%s: %w", c.name(), err))
			o.Logger.Info("backend not taken", "backend", c.name(), "why", why(err))
			continue
		}
		lines = append([]string{fmt.Sprintf("%s: taken, %s (%s)", c.name(), from, detail)}, lines...)
		for _, slower := range choices[i+1:] {
			lines = append(lines, slower.name()+": not tried, slower")
		}
		rt, err := newRuntime(b, c.name(), strings.Join(lines, "\n"), o)
		if err == nil {
			rt.memory = cmp.Or(o.Memory, memory)
		}
		return rt, err
	}
	return nil, fmt.Errorf("backends: %w", errors.Join(errs...))
}

func newRuntime(b compute.Backend, name, reason string, o Options) (*Runtime, error) {
	store := model.NewStore()
	if err := store.SetRNGStateFromSeed(o.Seed); err != nil {
		b.Finalize()
		return nil, fmt.Errorf("backends: seed the store: %w", err)
	}
	o.Logger.Info("backend taken", "backend", name, "is", b.Description())
	r := &Runtime{Backend: b, Store: store, DType: precision(name), Name: name, Reason: reason, users: &users{}, table: &table{}, logger: o.Logger, offload: o.Offload}
	r.users.free = sync.OnceValue(r.release)
	return r, nil
}

// Logger is that of Options, silent where that is nil.
func (r *Runtime) Logger() *slog.Logger {
	if r.logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.logger
}

// precision is the project's one rule on the precision of computation.
func precision(name string) dtypes.DType {
	if name == "xla:cuda" {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// String says what computes and in which precision, on one line.
func (r *Runtime) String() string {
	done, err := r.Use()
	if err != nil {
		return r.Name + " (closed)"
	}
	defer done()
	return fmt.Sprintf("%s in %s (%s)", r.Name, r.DType, r.Backend.Description())
}

// Try calls f, which builds graphs, and returns what it panicked with as an error: GoMLX's graph functions panic
// where Go would return an error. An error that was the panic's value is returned as it is.
func Try(f func()) error {
	switch e := exceptions.Try(f).(type) {
	case nil:
		return nil
	case error:
		return e
	default:
		return fmt.Errorf("%v", e)
	}
}

// downloadsForbidden reports whether the environment forbids downloads, by our variable or go-xla's.
func downloadsForbidden() bool {
	if _, set := os.LookupEnv("GOMLX_NO_AUTO_INSTALL"); set {
		return true // go-xla looks only whether it is set
	}
	value := os.Getenv(NoDownloadEnv)
	forbidden, err := strconv.ParseBool(value)
	return value != "" && (forbidden || err != nil)
}

// why makes an error fit for a line of Reason.
func why(err error) string {
	line := strings.Join(strings.Fields(err.Error()), " ")
	return strings.TrimPrefix(line, ErrUnavailable.Error()+": ")
}
