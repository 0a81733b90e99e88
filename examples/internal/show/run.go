package show

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// Run is one run of an example.
type Run struct {
	name   string
	flags  flags
	out    io.Writer
	bar    bar
	record record
}

// Main is the main function of an example. It parses the command line, runs the
// example and ends the process with 1 after an error and 2 after a wrong flag.
//
// The first ^C ends the context, whereupon the example finishes with what there
// is; the second ends the process.
func Main(name string, example func(ctx context.Context, r *Run) error) { run(name, "", example) }

// Pocket is Main for an example with the embedded models: -help lists what they
// understand, too.
func Pocket(name string, example func(ctx context.Context, r *Run) error) {
	run(name, pocketHelp(), example)
}

// run adds a text to what -help prints.
func run(name, help string, example func(ctx context.Context, r *Run) error) {
	flag.CommandLine.Init(os.Args[0], flag.ContinueOnError) // errors and -help come back from New
	r, err := New(name, flag.CommandLine, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(flag.CommandLine.Output(), help)
		return
	}
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	if err := example(ctx, r); err != nil {
		fmt.Fprintf(os.Stderr, "\n%s: %v\n", name, err)
		os.Exit(1)
	}
	if ctx.Err() != nil {
		r.printf("\ninterrupted; what there is has been written\n")
		os.Exit(130) // as shells expect after ^C
	}
}

// New returns a run of the named example with the flags of a command line. The
// set may hold flags of the example's own. The output folder is made.
func New(name string, set *flag.FlagSet, args []string, out io.Writer) (*Run, error) {
	r := &Run{name: name, out: out, bar: bar{out: out, live: isTerminal(out)}}
	if err := r.flags.parse(set, name, args, set.Output()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(r.flags.out, 0o755); err != nil {
		err = fmt.Errorf("show: output folder: %w", err)
		fmt.Fprintln(set.Output(), err)
		return nil, err
	}
	r.record = record{Example: name, Arguments: args, Started: time.Now()}
	return r, nil
}

// Backend returns the options of the runtime: what -backend asks for, and what
// there is to say while a plugin is downloaded.
func (r *Run) Backend() backends.Options {
	return backends.Options{Backend: r.flags.backend, Progress: func(d backends.Download) {
		r.bar.show(int(d.Done>>10), int(d.Total>>10), "fetching "+d.Name)
	}}
}

// Hub returns the options of downloads of models, with what there is to say meanwhile.
func (r *Run) Hub() hub.Options {
	return hub.Options{Progress: func(p hub.Progress) {
		r.bar.show(int(p.Done>>20), int(p.Total>>20), "MiB, "+path.Base(p.File)+": "+p.String())
	}}
}

// Short tells whether -short was given: examples with several controls then show
// the first alone.
func (r *Run) Short() bool { return r.flags.short }

// Unseen returns the prompts to evaluate with: those of -unseen, else the
// example's own.
func (r *Run) Unseen(own ...string) []string {
	switch {
	case len(r.flags.unseen) > 0:
		return r.flags.unseen
	case r.flags.short:
		return own[:1]
	}
	return own
}

// Seeds returns the seeds to evaluate with. Distill draws its own below 2³², so
// these are unseen.
func (r *Run) Seeds() []int64 {
	n := r.flags.seeds
	if r.flags.short && !r.flags.given["seeds"] {
		n = 4
	}
	seeds := make([]int64, n)
	for k := range seeds {
		seeds[k] = 1<<40 + int64(k)
	}
	return seeds
}

// Overlay returns the overlay of -overlay, else the example's own picture.
func (r *Run) Overlay(own overlay.Solid) (overlay.Solid, error) {
	if r.flags.overlay == "" {
		return own, nil
	}
	picture, err := overlay.Open(r.flags.overlay)
	return overlay.Solid{Picture: picture, Fit: r.flags.fit}, err
}

// adjust puts what the command line says into a task.
func (r *Run) adjust(t *dualprocess.Task) {
	f := &r.flags
	set := func(name string, field *float64, value float64) {
		if f.given[name] {
			*field = value
		}
	}
	if f.hack {
		t.LearningRate *= 10
		t.Drift, t.Preserve, t.StopAt = 0, dualprocess.Preserve{}, dualprocess.StopAt{}
	}
	if f.short {
		t.Updates, t.WarmUp, t.Decay = 4, 0, 0
		t.Batch, t.Seeds = min(t.Batch, 2), t.Seeds[:min(len(t.Seeds), 2)]
	}
	if len(f.prompts) > 0 {
		t.Prompts = f.prompts
	}
	if f.question != "" {
		t.Questions = append(t.Questions[:0:0], t.Questions...)
		for k := range t.Questions {
			t.Questions[k].Text, t.Questions[k].Answer = f.question, f.answer
		}
	}
	if f.given["updates"] {
		t.WarmUp = min(t.WarmUp*f.updates/max(t.Updates, 1), f.updates)
		t.Decay = min(t.Decay*f.updates/max(t.Updates, 1), f.updates-t.WarmUp)
		t.Updates = f.updates
	}
	set("lr", &t.LearningRate, f.rate)
	set("weight", &t.Weight, f.weight)
	set("drift", &t.Drift, f.drift)
	set("stop", &t.StopAt.P, f.stop)
}

// Finish returns a context for what comes after the training, which goes on when
// that was cut short.
func (r *Run) Finish(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// Save writes the numbers so far, tables included. Report does so, too.
func (r *Run) Save() error { return r.write() }

// path of a file in the output folder, named after a control.
func (r *Run) path(control, extension string) string {
	return filepath.Join(r.flags.out, files.Slug(control)+extension)
}

// save writes an adapter.
func (r *Run) save(control string, a *lora.Adapter) (string, error) {
	path := r.path(control, ".safetensors")
	return path, a.Save(path, lora.SaveOptions{})
}

func (r *Run) printf(format string, args ...any) { fmt.Fprintf(r.out, format, args...) }
