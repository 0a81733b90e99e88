// Package generator opens text-to-image generators from local folders in the layout
// of diffusers, or from repositories with such folders, which are downloaded:
//
//	flux, err := generator.Open(ctx, rt, "black-forest-labs/FLUX.1-schnell", generator.Options{})
//
// The models are in the folders below, where their documentation says what they can;
// they may be opened directly, and then have options of their own:
//
//   - flux: FLUX.1, schnell and dev
//   - flux2: FLUX.2 klein, 4B and 9B, distilled and base
//   - sana: Sana and Sana 1.5
//   - sanasprint: SANA-Sprint, 0.6B and 1.6B
//   - sd: Stable Diffusion 1
//   - zimage: Z-Image-Turbo and Z-Image
//   - pocket: a small model that this project trained, embedded in the library
//
// Package generatortest tests a generator of your own.
package generator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/flux2"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sanasprint"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/generator/zimage"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/pipeline"
)

// Generator is what Open returns. Several goroutines may use all of its methods at once: those on the host take turns where they
// compute, and a Release or a Close waits for them.
type Generator interface {
	dualprocess.Generator

	// Runtime is the one that the generator was opened with.
	Runtime() *backends.Runtime

	// Close frees the weights, when nothing uses the generator any more. What is called
	// later gives an error that wraps backends.ErrClosed.
	Close() error
}

var (
	_ dualprocess.Runtimer = Generator(nil)
	_ io.Closer            = Generator(nil)
)

// ErrUnsupported says that a folder holds a pipeline that this library does not have.
var ErrUnsupported = errors.New("unsupported pipeline")

// Open opens the generator in folder, by the class that its model_index.json
// names; what a model has beyond Options can be chosen with its own package's Open. A
// folder that does not exist and reads as owner/name or owner/name@revision is a
// repository, which Options.Hub says how to download ([hub.Model]); one that the library
// does not have is refused before its weights are fetched.
//
// Its weights become frozen variables of the runtime's store. The error wraps
// ErrUnsupported, and names the class, where the library does not have it, ErrOptions
// where the options don't fit, and those of package hub.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (Generator, error) {
	if err := arguments.Call(ctx, rt); err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	folder, err := arguments.Model(ctx, folder, o.Hub, o.Variant, func(folder string) error {
		_, err := find(folder)
		return err
	})
	var open opening
	if err == nil {
		open, err = find(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	o.Hub = hub.Options{}
	return open(ctx, rt, folder, o)
}

// opening is Open for one kind of pipeline.
type opening func(ctx context.Context, rt *backends.Runtime, folder string, o Options) (Generator, error)

// find finds out what pipeline a folder has.
func find(folder string) (opening, error) {
	const index = pipeline.Index
	files, err := hf.OpenFolder(folder, index, hf.Reading{})
	var class string
	if err == nil {
		class, err = hf.ReadField[string](files, index, "_class_name")
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", folder, err)
	}
	switch class {
	case flux.Pipeline:
		return with(flux.Open), nil
	case flux2.Pipeline:
		return with(flux2.Open), nil
	case sana.Pipeline:
		return with(sana.Open), nil
	case sanasprint.Pipeline:
		return with(sanasprint.Open), nil
	case sd.Pipeline:
		return with(sd.Open), nil
	case zimage.Pipeline:
		return with(zimage.Open), nil
	case pocket.Pipeline:
		return with(openPocket), nil
	}
	return nil, fmt.Errorf("%s: %w: _class_name is %q", filepath.Join(folder, index), ErrUnsupported, class)
}

// with opens a generator by Open of its own package, with options of its own. On an
// error it returns nil, and not an interface that holds a nil pointer.
func with[G Generator, O any](own func(context.Context, *backends.Runtime, string, O) (G, error)) opening {
	return func(ctx context.Context, rt *backends.Runtime, folder string, o Options) (Generator, error) {
		converted, err := arguments.Convert[O](o)
		if err != nil {
			return nil, fmt.Errorf("generator: open %s: %w: %w", folder, ErrOptions, err)
		}
		g, err := own(ctx, rt, folder, converted)
		if err != nil {
			return nil, err
		}
		return g, nil
	}
}

// openPocket opens a folder of the pocket generator.
func openPocket(ctx context.Context, rt *backends.Runtime, folder string, o pocket.Options) (*pocket.Generator, error) {
	return pocket.OpenFS(ctx, rt, os.DirFS(folder), o)
}
