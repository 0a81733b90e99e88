// Fits prints a table for the README: what it takes to distil pairs of models of published sizes on a card, as
// dualprocess.Plan says. It needs neither their weights nor a card.
//
//	go run ./internal/lifesize/fits
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
)

// pair of models, with what is asked.
type pair struct {
	generator, verifier string
	side, questions     int
}

var pairs = []pair{
	{"stable-diffusion-v1-4", "SmolVLM2-500M", 512, 1},
	{"stable-diffusion-v1-4", "Qwen2.5-VL-3B", 512, 1},
	{"Sana-1600M", "Gemma-3-4B", 512, 1},
	{"FLUX.2-klein-4B", "Qwen3-VL-4B", 512, 1},
	{"FLUX.2-klein-4B", "Qwen3-VL-4B", 1024, 1},
	{"Z-Image-Turbo", "Qwen3-VL-4B", 512, 1},
	{"FLUX.1-schnell", "Qwen2.5-VL-7B", 512, 1},
	{"FLUX.1-schnell", "Qwen2.5-VL-7B", 512, 5},
}

func main() {
	fixtures := flag.String("fixtures", filepath.FromSlash("internal/golden/testdata"), "folder of the small checkpoints whose configurations and tokenizers are taken")
	backend := flag.String("backend", "xla:cuda", "what to plan for")
	flag.Parse()
	if err := table(context.Background(), os.DirFS(*fixtures), *backend); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func table(ctx context.Context, fixtures fs.FS, backend string) error {
	fmt.Println("| pair | pixels, questions | weights | encoding | kept | recomputed | split | both | both, int8 | and offloaded | TFLOP |")
	fmt.Println("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, p := range pairs {
		row, err := p.row(ctx, fixtures, backend)
		if err != nil {
			return err
		}
		fmt.Println(row)
	}
	return nil
}

// row says what the pair takes at once, in GiB: encoding the prompt, and updating in several ways.
func (p pair) row(ctx context.Context, fixtures fs.FS, backend string) (string, error) {
	var plans [4]*dualprocess.Needs
	for k, w := range []way{{}, {split: true}, {split: true, int8: true}, {split: true, int8: true, offload: true}} {
		var err error
		if plans[k], err = p.plan(ctx, fixtures, backend, w); err != nil {
			return "", err
		}
	}
	whole, split, small, away := plans[0], plans[1], plans[2], plans[3]
	resident := whole.Phases[2].Resident
	cells := []string{fmt.Sprintf("%s, %s", p.generator, p.verifier), fmt.Sprintf("%d, %d", p.side, p.questions)}
	for _, bytes := range []int64{
		resident, whole.Phases[0].Peak(), resident + whole.Kept, resident + whole.Recomputed,
		resident + split.Kept, resident + split.Recomputed, small.Phases[2].Resident + small.Recomputed, away.Peak(),
	} {
		cells = append(cells, fmt.Sprintf("%.1f", float64(bytes)/(1<<30)))
	}
	cells = append(cells, fmt.Sprintf("%.0f", whole.Operations/1e12))
	return "| " + strings.Join(cells, " | ") + " |", nil
}

// way is how a pair is distilled. Where weights are offloaded, activations are recomputed, too.
type way struct{ split, int8, offload bool }

func (p pair) plan(ctx context.Context, fixtures fs.FS, backend string, w way) (*dualprocess.Needs, error) {
	rt, err := backends.Sketch(ctx, backends.Options{Backend: backend, Memory: 1 << 50, Offload: w.offload})
	if err != nil {
		return nil, err
	}
	defer rt.Close()
	o := published.Options{Height: p.side, Width: p.side, Int8: w.int8}
	if w.offload {
		o.Checkpoint = backends.CheckpointOn
	}
	t, err := published.Task(ctx, rt, p.generator, p.verifier, fixtures, o, p.questions)
	if err != nil {
		return nil, err
	}
	t.Split = w.split
	return dualprocess.Plan(ctx, t)
}
