// Checkpoints distils a control of your own into a generator of your own, both
// from folders in the layout of diffusers and Hugging Face, or from repositories, which
// are downloaded into the cache of Python's library (package hub):
//
//	go run ./examples/checkpoints -generator black-forest-labs/FLUX.2-klein-4B -verifier Qwen/Qwen3-VL-4B-Instruct \
//	    -prompt "a photo of a wheat field" -question "Is the horizon aligned with the red line?" -overlay line.png
//
// What it writes is a LoRA file that diffusers loads as it is. With -plan it says what
// that would take and does nothing: neither the weights nor the device need be there,
//
//	go run ./examples/checkpoints -plan -backend xla:cuda -memory 24 -generator FLUX.1-schnell -verifier Qwen2.5-VL-7B-Instruct
//
// Without folders it runs on tiny checkpoints with random weights, which the tests of this project
// use: every step is the real one, but there is nothing to see.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// fixtures are the tiny checkpoints, seen from the project's root.
const fixtures = "internal/golden/testdata"

// models are the folders of the two, and what the generator shall be opened with.
type models struct {
	generator, verifier string
	options             generator.Options
	recompute, plan     bool
	split, offload      bool
	apart               int     // device of the verifier; 0 = that of the generator
	memory              float64 // GiB
}

func main() {
	var f models
	flag.StringVar(&f.generator, "generator", filepath.FromSlash(fixtures+"/generator/flux_schnell/model"), "folder or repository (owner/name) of the generator")
	flag.StringVar(&f.verifier, "verifier", filepath.FromSlash(fixtures+"/verifier/llava/model"), "folder or repository (owner/name) of the vision-language model")
	f.register(flag.CommandLine)
	show.Main("checkpoints", func(ctx context.Context, run *show.Run) error { return distil(ctx, run, f) })
}

// register declares the flags of the generator's options.
func (f *models) register(set *flag.FlagSet) {
	const suits = " (what suits the generator unless given)"
	set.IntVar(&f.options.Height, "height", 0, "of the pictures in pixels"+suits)
	set.IntVar(&f.options.Width, "width", 0, "of the pictures in pixels"+suits)
	set.IntVar(&f.options.Steps, "steps", 0, "from noise to picture"+suits)
	set.Func("guidance", "`factor` by which the difference that the prompt makes is exaggerated"+suits, func(text string) error {
		guidance, err := strconv.ParseFloat(text, 64)
		f.options.Guidance = &guidance
		return err
	})
	set.BoolVar(&f.recompute, "recompute", false, "activations in the backward pass, for less memory and more time (where they would take half of it unless given)")
	set.BoolVar(&f.options.Int8, "int8", false, "weights of the linear layers of both models, in half the memory of bfloat16")
	set.BoolVar(&f.split, "split", false, "updates at the picture, for less memory and the time of one more forward pass")
	set.BoolVar(&f.offload, "offload", false, "weights of the model that does not compute to the host, for a card that holds one of them; best with -split")
	set.IntVar(&f.apart, "apart", 0, "`number` of a second card, for the verifier alone; updates are split then")
	set.BoolVar(&f.plan, "plan", false, "say what it takes, and do nothing; -backend and -memory tell what for")
	set.Float64Var(&f.memory, "memory", 0, "of the device that may be used, in `GiB` (what is free unless given)")
}

// runtime opens the backend on a device, or a sketch of it.
func (f models) runtime(ctx context.Context, run *show.Run, device int) (*backends.Runtime, error) {
	o := run.Backend()
	o.Device, o.Offload = device, f.offload
	o.Memory = int64(f.memory * (1 << 30))
	if f.plan {
		return backends.Sketch(ctx, o)
	}
	return backends.Open(ctx, o)
}

// open opens both models, each with a runtime.
func (f models) open(ctx context.Context, rt, apart *backends.Runtime) (dualprocess.Generator, verifier.LanguageModel, error) {
	for _, folder := range []string{f.generator, f.verifier} {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) && hub.Local(folder) {
			return nil, nil, fmt.Errorf("there is no folder %s: name those of a generator and a verifier with -generator and -verifier, or repositories as owner/name", folder)
		}
	}
	looking := verifier.Options{Hub: f.options.Hub, Int8: f.options.Int8}
	if f.recompute {
		f.options.Checkpoint, looking.Checkpoint = backends.CheckpointOn, backends.CheckpointOn
	}
	g, err := generator.Open(ctx, rt, f.generator, f.options)
	if err != nil {
		return nil, nil, err
	}
	v, err := verifier.Open(ctx, apart, f.verifier, looking)
	return g, v, err
}

func distil(ctx context.Context, run *show.Run, f models) error {
	rt, err := f.runtime(ctx, run, 0)
	if err != nil {
		return err
	}
	defer rt.Close()
	apart := rt
	if f.apart > 0 {
		if apart, err = f.runtime(ctx, run, f.apart); err != nil {
			return err
		}
		defer apart.Close()
	}
	f.options.Hub = run.Hub()
	g, v, err := f.open(ctx, rt, apart)
	if err != nil {
		return err
	}
	line, err := run.Overlay(overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}})
	if err != nil {
		return err
	}
	// All that is not said here is the paper's default, or what suits the generator.
	return f.teach(ctx, run, dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v,
		Prompts:   []string{"a photo of a wheat field"},
		Questions: []dualprocess.Question{{Text: "Is the horizon aligned with the red line?", Answer: "Yes", Overlay: line}},
		Split:     f.split || f.apart > 0,
	})
}

// teach distils the task, or plans it, and shows what came of it.
func (f models) teach(ctx context.Context, run *show.Run, task dualprocess.Task) error {
	control := run.Control("control", task, show.Contrast())
	if f.plan {
		return tell(ctx, control.Task)
	}
	adapter, err := control.Keep(dualprocess.Distill(ctx, control.Task))
	if err != nil {
		return err
	}
	unseen := run.Unseen("a photo of the sea", "a photo of a snowy plain")
	ratings, err := dualprocess.Evaluate(run.Finish(ctx), dualprocess.Evaluation{
		Runtime: task.Runtime, Generator: task.Generator, Verifier: task.Verifier, Adapter: adapter,
		Questions: control.Task.Questions, Prompts: unseen, Seeds: run.Seeds(), Progress: control.Watch(),
	})
	if err != nil && len(ratings) == 0 {
		return err
	}
	return control.Report(show.Group{Name: "unseen prompts and seeds", Ratings: ratings})
}

// tell says what a task takes.
func tell(ctx context.Context, task dualprocess.Task) error {
	needs, err := dualprocess.Plan(ctx, task)
	if err == nil {
		fmt.Print("\n", needs)
	}
	return err
}
