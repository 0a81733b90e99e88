// Gpucheck tries this library on the NVIDIA card of the machine, in at most eight minutes, and writes what it found:
//
//	go run ./internal/gpucheck -out gpucheck.json
//
// It opens XLA on CUDA, which installs the plugin where there is none; compares a generator and a verifier with the
// numbers of PyTorch, in float32 and in bfloat16; and then distils FLUX.1 schnell with Qwen2.5-VL-7B, of the published
// sizes and with random weights, and reports the seconds of compilation and of an update, and the memory: one question and
// five, with cuDNN's attention and without. Where -torch names a Python with torch, diffusers, transformers and peft,
// the same update is measured in PyTorch on the same checkpoints if time is left.
//
// On a machine without a card it is tried at a small size:
//
//	go run ./internal/gpucheck -backend xla:cpu -generator FLUX.1-schnell-tiny -verifier Qwen2.5-VL-tiny -side 64
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
)

// settings are the flags.
type settings struct {
	backend, fixtures, out, torch string
	generator, verifier           string
	side, tokens, updates         int
	limit                         time.Duration
	only                          string
	recompute, split              bool
	int8, offload                 bool
}

func main() {
	var s settings
	flag.StringVar(&s.backend, "backend", "xla:cuda", "what to check")
	flag.StringVar(&s.fixtures, "fixtures", filepath.FromSlash("internal/golden/testdata"), "folder of the golden numbers and of the small checkpoints")
	flag.StringVar(&s.out, "out", "", "file of the report; standard output unless given")
	flag.StringVar(&s.torch, "torch", "", "a Python with torch, diffusers, transformers and peft, to compare with")
	names := " (" + strings.Join(published.Names(), ", ") + ")"
	flag.StringVar(&s.generator, "generator", "FLUX.1-schnell", "sizes of the generator"+names)
	flag.StringVar(&s.verifier, "verifier", "Qwen2.5-VL-7B", "sizes of the verifier")
	flag.IntVar(&s.side, "side", 512, "of the pictures, in pixels")
	flag.IntVar(&s.tokens, "tokens", 0, "of the generator's prompt; 0 = what suits it")
	flag.IntVar(&s.updates, "updates", 20, "that are timed")
	flag.DurationVar(&s.limit, "limit", 8*time.Minute, "after which nothing new is begun, and what runs is stopped")
	flag.BoolVar(&s.recompute, "recompute", false, "activations in the backward pass (where they would take half of the memory unless given)")
	flag.BoolVar(&s.split, "split", false, "updates at the picture")
	flag.BoolVar(&s.offload, "offload", false, "weights of the model that does not compute to the host")
	flag.BoolVar(&s.int8, "int8", false, "weights")
	flag.StringVar(&s.only, "only", "", "names of checks, separated by commas; all unless given")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	report := &Report{Settings: s.String()}
	err := s.check(ctx, report)
	if saving := report.write(s.out); err != nil || saving != nil {
		fmt.Fprintln(os.Stderr, errors.Join(err, saving))
		os.Exit(1)
	}
}

// String has the settings on one line.
func (s settings) String() string {
	return fmt.Sprintf("%s, %s with %s, %d pixels", s.backend, s.generator, s.verifier, s.side)
}

// Report is what was found, as JSON.
type Report struct {
	Settings string   `json:"settings"`
	Device   string   `json:"device"`
	Reason   string   `json:"backend"`
	Golden   []Golden `json:"golden"`
	Runs     []Run    `json:"runs"`
	Torch    any      `json:"torch,omitempty"`
	Errors   []string `json:"errors,omitempty"`
}

// fail notes an error and goes on: what else can be checked is checked.
func (r *Report) fail(what string, err error) {
	if err != nil {
		r.Errors = append(r.Errors, fmt.Sprintf("%s: %v", what, err))
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	}
}

// write writes the report.
func (r *Report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if path == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// keep writes what is known by now to a file, should the rest be killed.
func (r *Report) keep(path string) {
	if path != "" {
		r.fail("report", r.write(path))
	}
}

// wants says whether a check was asked for.
func (s settings) wants(name string) bool {
	return s.only == "" || strings.Contains(","+s.only+",", ","+name+",")
}

// check runs all checks. Its error is that of a backend that does not open; a check that fails is in the report.
func (s settings) check(ctx context.Context, r *Report) error {
	if s.wants("golden") {
		if err := s.golden(ctx, r); err != nil {
			return err
		}
		r.keep(s.out)
	}
	for _, v := range variants {
		if !s.wants(v.Name) {
			continue
		}
		if ctx.Err() != nil {
			r.fail(v.Name, errors.New("no time was left"))
			continue
		}
		s.distil(ctx, r, v)
		r.keep(s.out)
	}
	if s.torch != "" && s.wants("torch") && ctx.Err() == nil {
		r.fail("torch", s.compare(ctx, r))
	}
	if len(r.Errors) > 0 {
		return fmt.Errorf("%d checks failed", len(r.Errors))
	}
	return nil
}
