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
	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
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

// Options of a model; zero is what suits it. A verifier has Checkpoint and Int8 alone.
type Options struct {
	Height, Width int // of pictures, in pixels
	TextTokens    int // of the prompt
	Checkpoint    backends.Checkpointing
	Int8          bool // weights
}

// opener opens a model from a folder.
type opener func(ctx context.Context, rt *backends.Runtime, folder fs.FS, o Options) (any, error)

// with is OpenFS of a model's package.
func with[M, O any](open func(context.Context, *backends.Runtime, fs.FS, O) (M, error), options func(Options) O) opener {
	return func(ctx context.Context, rt *backends.Runtime, folder fs.FS, o Options) (any, error) {
		return open(ctx, rt, folder, options(o))
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
		"FLUX.1-schnell":         {"generator/flux_schnell/model", safetensors.BF16, fluxSizes(19, 38), with(flux.OpenFS, fluxOptions)},
		"FLUX.1-schnell-shallow": {"generator/flux_schnell/model", safetensors.BF16, fluxSizes(2, 4), with(flux.OpenFS, fluxOptions)},
		"FLUX.1-schnell-thin":    {"generator/flux_schnell/model", safetensors.BF16, fluxDepth(), with(flux.OpenFS, fluxOptions)},
		"FLUX.1-schnell-tiny":    {"generator/flux_schnell/model", safetensors.BF16, nil, with(flux.OpenFS, fluxOptions)},
		"FLUX.2-klein-4B":        {"generator/flux2_klein/model", safetensors.BF16, kleinSizes(), with(flux2.OpenFS, kleinOptions)},
		"Sana-1600M":             {"generator/sana/model", safetensors.BF16, sanaSizes(), with(sana.OpenFS, sanaOptions)},
		"Z-Image-Turbo":          {"generator/z_image_turbo/model", safetensors.BF16, zimageSizes(), with(zimage.OpenFS, zimageOptions)},
		"stable-diffusion-v1-4":  {"generator/sd14/model", safetensors.F32, sdSizes(), with(sd.OpenFS, sdOptions)},

		"Gemma-3-4B":            {"verifier/gemma3/model", safetensors.BF16, gemmaSizes(), with(gemma3.OpenFS, gemmaOptions)},
		"Qwen2.5-VL-3B":         {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen3B(), with(qwen25vl.OpenFS, qwenOptions)},
		"Qwen2.5-VL-7B":         {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen7B(28, 32), with(qwen25vl.OpenFS, qwenOptions)},
		"Qwen2.5-VL-7B-shallow": {"verifier/qwen2_5_vl/model", safetensors.BF16, qwen7B(4, 8), with(qwen25vl.OpenFS, qwenOptions)},
		"Qwen2.5-VL-7B-thin":    {"verifier/qwen2_5_vl/model", safetensors.BF16, qwenDepth(), with(qwen25vl.OpenFS, qwenOptions)},
		"Qwen2.5-VL-tiny":       {"verifier/qwen2_5_vl/model", safetensors.BF16, nil, with(qwen25vl.OpenFS, qwenOptions)},
		"Qwen3-VL-4B":           {"verifier/qwen3_vl/model", safetensors.BF16, qwen3VL(), with(qwen3vl.OpenFS, qwen3Options)},
		"SmolVLM2-500M":         {"verifier/smolvlm2/model", safetensors.BF16, smolSizes(), with(smolvlm2.OpenFS, smolOptions)},
	}
}

func fluxOptions(o Options) flux.Options {
	return flux.Options{Height: o.Height, Width: o.Width, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func kleinOptions(o Options) flux2.Options {
	return flux2.Options{Height: o.Height, Width: o.Width, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func zimageOptions(o Options) zimage.Options {
	return zimage.Options{Height: o.Height, Width: o.Width, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func sanaOptions(o Options) sana.Options {
	return sana.Options{Height: o.Height, Width: o.Width, TextTokens: o.TextTokens, Checkpoint: o.Checkpoint, Int8: o.Int8}
}

// sdOptions: CLIP's prompts have a length of their own.
func sdOptions(o Options) sd.Options {
	return sd.Options{Height: o.Height, Width: o.Width, Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func gemmaOptions(o Options) gemma3.Options {
	return gemma3.Options{Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func qwenOptions(o Options) qwen25vl.Options {
	return qwen25vl.Options{Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func qwen3Options(o Options) qwen3vl.Options {
	return qwen3vl.Options{Checkpoint: o.Checkpoint, Int8: o.Int8}
}

func smolOptions(o Options) smolvlm2.Options {
	return smolvlm2.Options{Checkpoint: o.Checkpoint, Int8: o.Int8}
}
