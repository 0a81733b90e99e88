// Package generator opens image generators from local folders in the layout of
// diffusers. The models themselves are in the folders below, one each, and may be
// opened directly.
package generator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// ErrUnsupported says that a folder holds a pipeline that this library does not have.
var ErrUnsupported = errors.New("unsupported pipeline")

// Open opens the generator in folder, by the class that its model_index.json
// names, with the settings that suit the model; to choose others (size, number of
// steps, guidance) open it by its own package. Its weights become frozen variables
// of the runtime's store. The error wraps ErrUnsupported, and names the class,
// where the library does not have it.
func Open(ctx context.Context, rt *backends.Runtime, folder string) (dualprocess.Generator, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	const index = "model_index.json"
	fsys := os.DirFS(folder)
	class, err := hf.ReadField[string](fsys, index, "_class_name")
	if err != nil {
		return nil, fmt.Errorf("generator: open %s: %w", folder, err)
	}
	switch class {
	case pocket.Pipeline:
		return pocket.OpenFS(rt, fsys)
	case flux.Pipeline:
		return flux.Open(ctx, rt, folder, flux.Options{})
	case sana.Pipeline:
		return sana.Open(ctx, rt, folder, sana.Options{})
	case sd.Pipeline:
		return sd.Open(ctx, rt, folder, sd.Options{})
	}
	return nil, fmt.Errorf("generator: %s: %w: _class_name is %q", filepath.Join(folder, index), ErrUnsupported, class)
}
