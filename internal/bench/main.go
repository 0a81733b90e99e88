// Bench measures generators and verifiers against PyTorch on the processors of this machine:
//
//	go run ./internal/bench -out bench.json                    # all of them; an hour or two
//	go run ./internal/bench -models flux,llava -rounds 3       # some
//	go run ./internal/bench -ours                              # this library alone, without Python
//	go run ./internal/bench -sizes out/sizes -models sd,qwen25vl
//	go run ./internal/bench -questions out/questions
//	go run ./internal/bench -sampler -out sampler.json         # pictures
//	go run ./internal/bench -load -published stable-diffusion-v1-4,Qwen2.5-VL-3B -keep checkpoints
//	go run ./internal/bench -pair -models sd,qwen25vl -updates 3
//
// Of a generator that is one update of an adapter, by the distance of a picture from another: network, decoder, gradient,
// clipping, AdamW. Of a verifier it is one question about one picture: the loss, and its gradient by the pixels. The sizes
// take about a second on two cores; each model has its own in bench.json in its folder, and beside it its program for
// PyTorch, bench.py.
//
// Both sides are processes that read the same checkpoint, of random weights (package lifesize), compile once, and then
// run when they are told to, in turn: ours, eager PyTorch, compiled PyTorch, ours again. What they compute must agree, the
// loss and the norm of its gradient, or nothing counts. Of each round the median of its runs is taken, and of the rounds
// their median, least and most. PyTorch is installed into the user's cache folder once (gigabytes), in the versions of
// requirements.txt; DUALPROCESS_PYTHON names a Python that has them already, DUALPROCESS_NO_DOWNLOAD=1 forbids to install.
//
// With -sizes it measures what an update of a generator with a verifier costs against the side of the picture, the number
// of questions, the batch and the adapter's rank: a study each (package study), whose figures study/figure draws. With
// -questions it asks every verifier several questions about one picture.
//
// With -sampler a run is a batch of pictures, by dualprocess.Sampler here and by diffusers' own pipeline there, from the same
// noise and conditions, in the steps and under the guidance of bench.json, each with the adapter of random numbers that our
// side has saved and load_lora_weights reads there; the network and the decoder are what is compiled. The noise that a
// scheduler draws between steps, SANA-Sprint's, is ours, too. Means and mean squares must agree (in the places of loss and
// norm in the JSON), and so must the pixels. Our pictures are of 8 bits, as users get them, PyTorch's are tensors. With the
// first of -batches it then measures what pictures take at another weight and with another adapter; programs that are
// compiled for these are an error.
//
// With -load it measures how long it takes to open checkpoints, weights on the device, against reading their files from the
// page cache, and what lies in memory then; a second process opens each while the first one has it open, which shows what of
// it they share. The checkpoints are of the sizes of bench.json, or of the published ones that -published names.
//
// With -pair it makes whole updates of a generator by a verifier's loss, as many as -updates says: by dualprocess.Distill here,
// and in PyTorch from the noise, conditions, questions and first matrices that our side has written, at the same steps of the
// sampler, those before without gradient by diffusers' pipeline. Loss and norm of every update must agree, and so must the
// adapters after the last one. With -published, a generator's checkpoint and a verifier's of the models that -models names, both
// sides spare memory: ours recomputes activations and splits updates, PyTorch recomputes those of the generator and keeps a
// verifier's frozen weights of bfloat16 as they are, converted when their layer's turn comes. No two sides are there at once.
//
// The machine should have nothing else to do.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
)

// settings are the flags.
type settings struct {
	Models  string        `json:"models,omitempty"`
	Rounds  int           `json:"rounds"`
	Runs    int           `json:"runs"`
	Threads int           `json:"threads"`
	DType   string        `json:"dtype"`
	Backend string        `json:"backend"`
	Limit   time.Duration `json:"-"`
	Ours    bool          `json:"ours"`
	Sampler bool          `json:"sampler,omitempty"`
	Batches batchList     `json:"batches,omitempty"` // of the sampler
	Load    bool          `json:"load,omitempty"`
	Pair    bool          `json:"pair,omitempty"`
	Side    int           `json:"side,omitempty"`    // of a pair's pictures
	Updates int           `json:"updates,omitempty"` // of a pair

	Published string `json:"published,omitempty"` // checkpoints to load, or of a pair

	out, keep, root string
	sizes, asked    string
	serve           string
}

// register declares the flags.
func (s *settings) register(set *flag.FlagSet) {
	set.StringVar(&s.Models, "models", "", "names of models' folders, separated by commas; all unless given")
	set.IntVar(&s.Rounds, "rounds", 5, "in which the sides take turns")
	set.IntVar(&s.Runs, "runs", 3, "of each side in a round")
	set.StringVar(&s.out, "out", "", "file of all numbers, as JSON")
	set.IntVar(&s.Threads, "threads", runtime.NumCPU(), "processors that each side may use; fewer than there are need taskset")
	set.StringVar(&s.DType, "dtype", "float32", "that both sides compute in: float32 or bfloat16")
	set.StringVar(&s.Backend, "backend", "xla:cpu", "of this library")
	set.DurationVar(&s.Limit, "limit", 5*time.Minute, "for a side to open the model, and for its first run; one that takes longer is left out")
	set.BoolVar(&s.Ours, "ours", false, "measure this library alone, without Python")
	set.StringVar(&s.keep, "keep", "", "folder where the checkpoints stay, to be used again; a temporary one unless given")
	set.StringVar(&s.root, "root", ".", "folder of the project")
	set.StringVar(&s.sizes, "sizes", "", "folder for the cost of an update against its size, of the generator and the verifier of -models")
	set.StringVar(&s.asked, "questions", "", "folder for the cost of several questions about one picture, of the verifiers of -models")
	set.BoolVar(&s.Sampler, "sampler", false, "measure pictures of the generators, not updates")
	s.Batches = batchList{1, 2, 4, 8}
	set.Var(&s.Batches, "batches", "pictures at once, with -sampler; PyTorch makes "+against.String()+" at once, where these are among them")
	set.BoolVar(&s.Load, "load", false, "measure how checkpoints are opened, not updates")
	set.StringVar(&s.Published, "published", "", "checkpoints for -load or -pair, of random weights, separated by commas: "+
		strings.Join(published.Names(), ", ")+"; those of -models unless given, in sizes to try it")
	set.BoolVar(&s.Pair, "pair", false, "make updates of the generator with the verifier of -models, by both sides")
	set.IntVar(&s.Side, "side", 0, "of the pictures of -pair, in pixels; 0 is that of the generator's bench.json")
	set.IntVar(&s.Updates, "updates", 3, "that -pair makes")
	set.StringVar(&s.serve, "serve", "", "file of an order: be our side, as the tool starts it")
}

// check says what is wrong with the flags.
func (s settings) check() error {
	switch {
	case s.Rounds < 1:
		return fmt.Errorf("-rounds is %d, want at least 1", s.Rounds)
	case s.Runs < 1:
		return fmt.Errorf("-runs is %d, want at least 1", s.Runs)
	case s.Threads < 1 || s.Threads > runtime.NumCPU():
		return fmt.Errorf("-threads is %d, want 1 to %d", s.Threads, runtime.NumCPU())
	case s.Limit <= 0:
		return fmt.Errorf("-limit is %v, want a positive time", s.Limit)
	case gradients.tolerances[s.DType] == tolerance{}:
		return fmt.Errorf("-dtype is %q, want float32 or bfloat16", s.DType)
	case s.Published != "" && !s.Load && !s.Pair:
		return errors.New("-published names checkpoints for -load or -pair, neither of which is given")
	case s.Pair && s.Updates < 1:
		return fmt.Errorf("-updates is %d, want at least 1", s.Updates)
	case s.Pair && ofUpdates.tolerances[s.DType] == tolerance{}:
		return fmt.Errorf("-dtype is %s: updates of -pair are compared in float32, which is what -dtype is unless given", s.DType)
	case s.Side < 0:
		return fmt.Errorf("-side is %d, want a picture's, or 0 for that of bench.json", s.Side)
	}
	return nil
}

func main() {
	var s settings
	s.register(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.run(ctx, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is either side of the tool: what measures, or one that is measured.
func (s settings) run(ctx context.Context, rest []string) error {
	if s.serve != "" {
		return serveOrder(ctx, s.serve, os.Stdin, os.Stdout)
	}
	if len(rest) > 0 {
		return fmt.Errorf("there are no arguments, but %q is given: name models with -models", rest)
	}
	s.Ours = s.Ours || s.sizes != "" || s.asked != "" || s.Load
	if err := s.check(); err != nil {
		return err
	}
	subjects, err := find(os.DirFS(s.root), s.Models)
	if err != nil {
		return err
	}
	work := s.keep
	if work == "" {
		if work, err = os.MkdirTemp("", "dualprocess-bench-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(work) }() // it is the system's to clean otherwise
	}
	if !s.Sampler {
		s.Batches = nil
	}
	if !s.Pair {
		s.Updates = 0
	}
	b := &bench{settings: s, numbers: gradients, work: work, pause: pause}
	b.say = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	if b.launch, err = s.launchers(ctx, b.say); err != nil {
		return err
	}
	return b.do(ctx, subjects)
}

// do measures what the flags ask for.
func (b *bench) do(ctx context.Context, subjects []subject) error {
	switch {
	case b.sizes != "":
		return b.studySizes(ctx, subjects, b.sizes)
	case b.asked != "":
		return b.studyQuestions(ctx, subjects, b.asked)
	case b.Load:
		return b.load(ctx, subjects)
	case b.Pair:
		return b.pair(ctx, subjects)
	case b.Sampler:
		b.numbers = ofPictures
	}
	return b.all(ctx, subjects)
}

// errStopped says that somebody stopped the tool.
var errStopped = errors.New("stopped")

// job measures a model.
type job func(ctx context.Context) *measured

// jobs lists what is measured.
func (b *bench) jobs(subjects []subject) (jobs []job, err error) {
	if b.Sampler {
		return b.samplers(subjects)
	}
	for _, s := range subjects {
		jobs = append(jobs, func(ctx context.Context) *measured { return b.measure(ctx, s) })
	}
	return jobs, nil
}

// all measures all models, and writes what was found, that of a run which was stopped, too.
func (b *bench) all(ctx context.Context, subjects []subject) error {
	jobs, err := b.jobs(subjects)
	if err != nil {
		return err
	}
	r := &report{Settings: b.settings, Machine: machine(), Date: time.Now().UTC().Format(time.DateOnly)}
	for _, measure := range jobs {
		if ctx.Err() != nil {
			break
		}
		m := measure(ctx)
		if ctx.Err() != nil {
			m.Error = errStopped.Error()
		}
		for _, line := range m.complaints() {
			b.say("%s: %s", m.label(m.Name), line)
		}
		r.Models = append(r.Models, m)
		if err := r.write(b.out); err != nil {
			return err
		}
	}
	if b.Sampler {
		fmt.Print(r.samplerTables())
	} else {
		fmt.Print(r.table())
	}
	if ctx.Err() != nil {
		return errStopped
	}
	if wrong := r.wrong(); len(wrong) > 0 {
		return fmt.Errorf("nothing counts of %s: see above", strings.Join(wrong, ", "))
	}
	return nil
}
