package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
)

// order says what a side shall open and run. It is a file, which PyTorch's side reads, too.
type order struct {
	Kind       string          `json:"kind"`
	Checkpoint string          `json:"checkpoint"` // folder
	Inputs     string          `json:"inputs"`     // safetensors file that our side writes for PyTorch's
	Program    string          `json:"program"`    // of PyTorch's side
	DType      string          `json:"dtype"`
	Threads    int             `json:"threads"`
	Backend    string          `json:"backend"` // of our side
	Side       int             `json:"side"`
	Step       int             `json:"step"`
	Options    json.RawMessage `json:"options,omitempty"`

	// Of whole updates:
	Verifier string `json:"verifier,omitempty"` // folder
	Scale    scale  `json:"scale,omitzero"`

	// Of those that PyTorch's side makes, too:
	VerifierProgram string `json:"verifier_program,omitempty"`
	Updates         int    `json:"updates,omitempty"`
	Sparing         bool   `json:"sparing,omitempty"` // of memory: activations are computed again, updates are split

	// Of these and of pictures:
	Batch    int      `json:"batch,omitempty"`
	Steps    int      `json:"steps,omitempty"`
	Guidance *float64 `json:"guidance,omitempty"` // nil = the generator's
	Adapter  string   `json:"adapter,omitempty"`  // file that our side writes for PyTorch's
	Pictures string   `json:"pictures,omitempty"` // safetensors file, likewise: those of its first run
}

// checkpointing says whether activations are computed again in the backward pass. Otherwise they are kept, as PyTorch does.
func (o order) checkpointing() backends.Checkpointing {
	if o.Sparing {
		return backends.CheckpointOn
	}
	return backends.CheckpointOff
}

// request is a line that a side is sent.
type request struct {
	Runs   int    `json:"runs"`
	Change string `json:"change,omitempty"` // before each run, by a workload that is a changer
}

// reply is a line that it answers: when it is ready, and after every request.
type reply struct {
	Ready string `json:"ready,omitempty"` // what computes
	Error string `json:"error,omitempty"` // nothing follows

	Seconds []float64 `json:"seconds,omitempty"` // of each run
	Losses  []float64 `json:"losses,omitempty"`
	Norms   []float64 `json:"norms,omitempty"`  // of the gradient
	Peak    int64     `json:"peak,omitempty"`   // bytes in memory, the most so far
	Apart   float64   `json:"apart,omitempty"`  // pictures of the last run from ours, or the adapter, where a run makes one
	Memory  *memory   `json:"memory,omitempty"` // of a run that opens a model
	Steps   []int     `json:"steps,omitempty"`  // with gradient, of a pair's updates so far
}

// check says what is wrong with the answer to a request of so many runs, of which 0 asks whether the side is ready.
func (r reply) check(runs int) error {
	switch {
	case r.Error != "":
		return fmt.Errorf("%s", r.Error)
	case runs == 0 && r.Ready == "":
		return fmt.Errorf("the answer does not say what is ready")
	case len(r.Seconds) != runs || len(r.Losses) != runs || len(r.Norms) != runs:
		return fmt.Errorf("the answer is of %d runs, %d losses and %d norms, and %d were asked for", len(r.Seconds), len(r.Losses), len(r.Norms), runs)
	}
	return nil
}

// workload is what our side runs.
type workload interface {
	// run runs it once and returns two numbers, by which sides are compared: the loss and the norm of its gradient, or of
	// pictures the mean and the root of the mean square.
	run(ctx context.Context) (loss, norm float64, err error)
	// peak is the most memory so far, in bytes.
	peak() int64
	close() error
}

// teller is a workload that has more to tell of its runs.
type teller interface {
	tell(r *reply)
}

// changer is a workload that can run otherwise.
type changer interface {
	change(what string) error
}

// serveOrder is our side of an order in a file.
func serveOrder(ctx context.Context, file string, in io.Reader, out io.Writer) error {
	return serve(ctx, in, out, func() (workload, string, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, "", err
		}
		var o order
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, "", fmt.Errorf("%s: %w", file, err)
		}
		return open(ctx, o)
	})
}

// serve answers requests until there are no more. An error is an answer, too, and the last one.
func serve(ctx context.Context, in io.Reader, out io.Writer, open func() (workload, string, error)) (err error) {
	answers := json.NewEncoder(out)
	defer func() {
		if err != nil {
			_ = answers.Encode(reply{Error: strings.Join(strings.Fields(err.Error()), " ")}) // whoever asked may have gone
		}
	}()
	w, what, err := open()
	if err != nil {
		return err
	}
	defer func() { _ = w.close() }() // the process ends
	if err := answers.Encode(reply{Ready: what}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return fmt.Errorf("request %.80q: %w", lines.Text(), err)
		}
		r, err := timed(ctx, w, asked)
		if err != nil {
			return err
		}
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// timed makes some runs.
func timed(ctx context.Context, w workload, asked request) (r reply, err error) {
	for range asked.Runs {
		if asked.Change != "" {
			c, ok := w.(changer)
			if !ok {
				return r, fmt.Errorf("nothing of a %T can be changed", w)
			}
			if err := c.change(asked.Change); err != nil {
				return r, err
			}
		}
		began := time.Now()
		loss, norm, err := w.run(ctx)
		if err != nil {
			return r, err
		}
		r.Seconds = append(r.Seconds, time.Since(began).Seconds())
		if sum := loss + norm; math.IsNaN(sum) || math.IsInf(sum, 0) {
			return r, fmt.Errorf("the numbers of a run are not finite: %v and %v", loss, norm)
		}
		r.Losses, r.Norms = append(r.Losses, loss), append(r.Norms, norm)
	}
	r.Peak = w.peak()
	if t, ok := w.(teller); ok {
		t.tell(&r)
	}
	return r, nil
}
