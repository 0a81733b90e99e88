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
	"io/fs"
	"os"

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

// Generator is what Open returns. Several goroutines may use all of its methods at once:
// those on the host take turns where they compute, and a Release or a Close waits for
// them.
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
// does not have is refused before its weights are fetched, and on a runtime of
// backends.Sketch none are.
//
// Its weights become frozen variables of the runtime's store. The error wraps
// ErrUnsupported, and names the class, where the library does not have it, ErrOptions
// where the options don't fit, and those of package hub.
func Open(ctx context.Context, rt *backends.Runtime, folder string, o Options) (Generator, error) {
	if err := arguments.Call(ctx, rt); err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	folder, files, err := arguments.Model(ctx, rt, folder, o.Hub, o.Variant, func(folder string) error {
		_, err := findIn(folder)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	o.Hub = hub.Options{}
	if files != nil {
		open, err := find(files)
		if err != nil {
			return nil, fmt.Errorf("generator: open %s: %w", folder, err)
		}
		return open.files(ctx, rt, files, o)
	}
	open, err := findIn(folder)
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	return open.folder(ctx, rt, folder, o)
}

// opening is Open for one kind of pipeline: from a folder, and from other files.
type opening struct {
	folder func(ctx context.Context, rt *backends.Runtime, folder string, o Options) (Generator, error)
	files  func(ctx context.Context, rt *backends.Runtime, files fs.FS, o Options) (Generator, error)
}

// findIn finds out what pipeline a folder has.
func findIn(folder string) (opening, error) {
	files, err := hf.OpenFolder(folder, pipeline.Index, hf.Reading{})
	var open opening
	if err == nil {
		open, err = find(files)
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		return open, fmt.Errorf("%s: %w", folder, err)
	case err != nil:
		return open, fmt.Errorf("open %s: %w", folder, err)
	}
	return open, nil
}

// find finds out what pipeline files are.
func find(files fs.FS) (opening, error) {
	class, err := hf.ReadField[string](files, pipeline.Index, "_class_name")
	if err != nil {
		return opening{}, err
	}
	switch class {
	case flux.Pipeline:
		return opening{with(flux.Open), with(flux.OpenFS)}, nil
	case flux2.Pipeline:
		return opening{with(flux2.Open), with(flux2.OpenFS)}, nil
	case sana.Pipeline:
		return opening{with(sana.Open), with(sana.OpenFS)}, nil
	case sanasprint.Pipeline:
		return opening{with(sanasprint.Open), with(sanasprint.OpenFS)}, nil
	case sd.Pipeline:
		return opening{with(sd.Open), with(sd.OpenFS)}, nil
	case zimage.Pipeline:
		return opening{with(zimage.Open), with(zimage.OpenFS)}, nil
	case pocket.Pipeline:
		return opening{with(openPocket), with(pocket.OpenFS)}, nil
	}
	return opening{}, fmt.Errorf("%s: %w: _class_name is %q", pipeline.Index, ErrUnsupported, class)
}

// with opens a generator from a place by Open or OpenFS of its own package, with options
// of its own. On an error it returns nil, and not an interface that holds a nil pointer.
func with[G Generator, P, O any](own func(context.Context, *backends.Runtime, P, O) (G, error)) func(context.Context, *backends.Runtime, P, Options) (Generator, error) {
	return func(ctx context.Context, rt *backends.Runtime, place P, o Options) (Generator, error) {
		converted, err := arguments.Convert[O](o)
		if err != nil {
			return nil, fmt.Errorf("generator: open %v: %w: %w", place, ErrOptions, err)
		}
		g, err := own(ctx, rt, place, converted)
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
