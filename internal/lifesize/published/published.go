// Package published knows the sizes of models as they are published, for package lifesize to make checkpoints of, and opens
// them.
package published

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/flux2"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/generator/zimage"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/overlay"
	"github.com/dualprocess/dualprocess-go/verifier/gemma3"
	"github.com/dualprocess/dualprocess-go/verifier/qwen25vl"
	"github.com/dualprocess/dualprocess-go/verifier/qwen3vl"
	"github.com/dualprocess/dualprocess-go/verifier/smolvlm2"
)

// sized is a model as it is published: the fixture that it is like, its sizes and how it is opened.
type sized struct {
	fixture string
	dtype   safetensors.DType
	changes map[string]any
	open    opener
}

// Options of a model; zero is what suits it. One that the model does not have is an error: a verifier has Checkpoint and Int8
// alone.
type Options struct {
	Height, Width int // of pictures, in pixels
	TextTokens    int // of the prompt
	Checkpoint    backends.Checkpointing
	Int8          bool // weights
}

// opener opens a model from a folder.
type opener func(ctx context.Context, rt *backends.Runtime, folder fs.FS, o Options) (any, error)

// with is OpenFS of a model's package.
func with[M, O any](open func(context.Context, *backends.Runtime, fs.FS, O) (M, error)) opener {
	return func(ctx context.Context, rt *backends.Runtime, folder fs.FS, o Options) (any, error) {
		own, err := arguments.Convert[O](o)
		if err != nil {
			return nil, err
		}
		return open(ctx, rt, folder, own)
	}
}

// Names lists the models of Model.
func Names() []string { return slices.Sorted(maps.Keys(models())) }

// Model returns a model of published sizes. fixtures is the folder with the small checkpoints whose configurations
// and tokenizers it takes: internal/golden/testdata.
func Model(name string, fixtures fs.FS) (lifesize.Model, error) {
	p, ok := models()[name]
	if !ok {
		return lifesize.Model{}, fmt.Errorf("published: no sizes of %q are known, but of %q", name, Names())
	}
	folder, err := fs.Sub(fixtures, p.fixture)
	if err != nil {
		return lifesize.Model{}, fmt.Errorf("published: %w", err)
	}
	opens := func(ctx context.Context, rt *backends.Runtime, folder fs.FS) error {
		_, err := p.open(ctx, rt, folder, Options{})
		return err
	}
	return lifesize.Model{Folder: folder, Changes: p.changes, DType: p.dtype, Open: opens}, nil
}

// Generator opens a generator of published sizes, whose weights are made up while they are read.
func Generator(ctx context.Context, rt *backends.Runtime, name string, fixtures fs.FS, o Options) (dualprocess.Generator, error) {
	return open[dualprocess.Generator](ctx, rt, name, fixtures, o)
}

// Verifier opens a verifier likewise.
func Verifier(ctx context.Context, rt *backends.Runtime, name string, fixtures fs.FS, o Options) (dualprocess.Verifier, error) {
	return open[dualprocess.Verifier](ctx, rt, name, fixtures, o)
}

// Task opens a generator and a verifier, each with its options, and asks so many questions about a line.
func Task(
	ctx context.Context, rt *backends.Runtime, generator, verifier string, fixtures fs.FS, o Options, questions int,
) (t dualprocess.Task, err error) {
	t = dualprocess.Task{Runtime: rt, Prompts: []string{"a photo of a wheat field"}}
	if t.Generator, err = Generator(ctx, rt, generator, fixtures, o); err != nil {
		return t, err
	}
	o.Height, o.Width, o.TextTokens = 0, 0, 0
	if t.Verifier, err = Verifier(ctx, rt, verifier, fixtures, o); err != nil {
		return t, err
	}
	for i := range questions {
		t.Questions = append(t.Questions, dualprocess.Question{
			Text: fmt.Sprintf("Is line %d aligned with the horizon of this image?", i+1), Answer: "Yes",
			Overlay: overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}},
		})
	}
	return t, nil
}

func open[M any](ctx context.Context, rt *backends.Runtime, name string, fixtures fs.FS, o Options) (m M, err error) {
	sizes, err := Model(name, fixtures)
	if err != nil {
		return m, err
	}
	files, err := sizes.Files(ctx)
	if err != nil {
		return m, err
	}
	opened, err := models()[name].open(ctx, rt, files, o)
	if err != nil {
		return m, fmt.Errorf("published: %s: %w", name, err)
	}
	m, ok := opened.(M)
	if !ok {
		return m, fmt.Errorf("published: %s is a %T, which is no %T", name, opened, &m)
	}
	return m, nil
}

// models are the sizes in the models' repositories, and small ones of the same depth or the same width.
func models() map[string]sized {
	return map[string]sized{
		"FLUX.1-schnell":         {"generator/flux_schnell/model", safetensors.BF16, fluxSizes(19, 38), with(flux.OpenFS)},
		"FLUX.1-schnell-shallow": {"generator/flux_schnell/model", safetensors.BF16, fluxSizes(2, 4), with(flux.OpenFS)},
		"FLUX.1-schnell-thin":    {"generator/flux_schnell/model", safetensors.BF16, fluxDepth(), with(flux.OpenFS)},
		"FLUX.1-schnell-tiny":    {"generator/flux_schnell/model", safetensors.BF16, nil, with(flux.OpenFS)},
		"FLUX.2-klein-4B":        {"generator/flux2_klein/model", safetensors.BF16, kleinSizes(), with(flux2.OpenFS)},
		"Sana-1600M":             {"generator/sana/model", safetensors.BF16, sanaSizes(), with(sana.OpenFS)},
		"Z-Image-Turbo":          {"generator/z_image_turbo/model", safetensors.BF16, zimageSizes(), with(zimage.OpenFS)},
		"stable-diffusion-v1-4":  {"generator/sd14/model", safetensors.F32, sdSizes(), with(sd.OpenFS)},

		"Gemma-3-4B":            {"verifier/gemma3/model", safetensors.BF16, gemmaSizes(), with(gemma3.OpenFS)},
		"Qwen2.5-VL-3B":         {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen3B(), with(qwen25vl.OpenFS)},
		"Qwen2.5-VL-7B":         {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen7B(28, 32), with(qwen25vl.OpenFS)},
		"Qwen2.5-VL-7B-shallow": {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen7B(4, 8), with(qwen25vl.OpenFS)},
		"Qwen2.5-VL-7B-thin":    {"verifier/qwen2_5_vl/model", safetensors.BF16, qwenDepth(), with(qwen25vl.OpenFS)},
		"Qwen2.5-VL-tiny":       {"verifier/qwen2_5_vl/model", safetensors.BF16, nil, with(qwen25vl.OpenFS)},
		"Qwen3-VL-4B":           {"verifier/qwen3_vl/model", safetensors.BF16, qwen3VL(), with(qwen3vl.OpenFS)},
		"SmolVLM2-500M":         {"verifier/smolvlm2/model", safetensors.BF16, smolSizes(), with(smolvlm2.OpenFS)},
	}
}
