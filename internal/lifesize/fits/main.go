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
	fmt.Println("| pair | pixels, questions | weights | encoding | kept | recomputed | split | both | both, int8 | TFLOP |")
	fmt.Println("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
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
	whole, err := p.plan(ctx, fixtures, backend, false, false)
	if err != nil {
		return "", err
	}
	split, err := p.plan(ctx, fixtures, backend, true, false)
	if err != nil {
		return "", err
	}
	small, err := p.plan(ctx, fixtures, backend, true, true)
	if err != nil {
		return "", err
	}
	resident := whole.Phases[2].Resident
	cells := []string{fmt.Sprintf("%s, %s", p.generator, p.verifier), fmt.Sprintf("%d, %d", p.side, p.questions)}
	for _, bytes := range []int64{
		resident, whole.Phases[0].Peak(), resident + whole.Kept, resident + whole.Recomputed,
		resident + split.Kept, resident + split.Recomputed, small.Phases[2].Resident + small.Recomputed,
	} {
		cells = append(cells, fmt.Sprintf("%.1f", float64(bytes)/(1<<30)))
	}
	cells = append(cells, fmt.Sprintf("%.0f", whole.Operations/1e12))
	return "| " + strings.Join(cells, " | ") + " |", nil
}

func (p pair) plan(ctx context.Context, fixtures fs.FS, backend string, split, int8 bool) (*dualprocess.Needs, error) {
	rt, err := backends.Sketch(ctx, backends.Options{Backend: backend, Memory: 1 << 50})
	if err != nil {
		return nil, err
	}
	defer rt.Close()
	o := published.Options{Height: p.side, Width: p.side, Int8: int8}
	t, err := published.Task(ctx, rt, p.generator, p.verifier, fixtures, o, p.questions)
	if err != nil {
		return nil, err
	}
	t.Split = split
	return dualprocess.Plan(ctx, t)
}
