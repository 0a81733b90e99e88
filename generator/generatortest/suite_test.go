package generatortest_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/flux2"
	"github.com/dualprocess/dualprocess-go/generator/generatortest"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sanasprint"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/generator/zimage"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// tiny is a generator by its family in the fixtures, to be opened for pictures of
// some size in few steps.
type tiny func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error)

var families = map[string]tiny{
	"flux": func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error) {
		return flux.Open(ctx, rt, folder, flux.Options{Height: height, Width: width, Steps: 2, TextTokens: 8})
	},
	"flux2": func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error) {
		return flux2.Open(ctx, rt, folder, flux2.Options{Height: height, Width: width, Steps: 2, TextTokens: 16})
	},
	"sana": func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error) {
		return sana.Open(ctx, rt, folder, sana.Options{Height: height, Width: width, Steps: 3, TextTokens: 32})
	},
	"sana_sprint": func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error) {
		return sanasprint.Open(ctx, rt, folder, sanasprint.Options{Height: height, Width: width, TextTokens: 32})
	},
	"sd": func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error) {
		return sd.Open(ctx, rt, folder, sd.Options{Height: height, Width: width, Steps: 3})
	},
	"z_image": func(ctx context.Context, rt *backends.Runtime, folder string, height, width int) (dualprocess.Generator, error) {
		return zimage.Open(ctx, rt, folder, zimage.Options{Height: height, Width: width, Steps: 2, TextTokens: 40})
	},
}

// family is that of a fixture.
func family(t *testing.T, f *golden.Fixture) string {
	var about struct{ Spec struct{ Family string } }
	f.Decode(t, &about)
	require.Contains(t, families, about.Spec.Family, "add it to families")
	return about.Spec.Family
}

// open opens a fixture's model.
func open(ctx context.Context, t *testing.T, rt *backends.Runtime, f *golden.Fixture, height, width int) (dualprocess.Generator, error) {
	return families[family(t, f)](ctx, rt, f.Path("model"), height, width)
}

// backend is the pure Go one, which has run tiny models before XLA has compiled
// them, unless the environment asks for another.
func backend() string {
	if os.Getenv("GOMLX_BACKEND") != "" {
		return ""
	}
	return "go"
}

// TestGenerators runs the suite on every generator of the library. Pictures are
// not square where that is possible, and the smallest in which attention at a
// U-Net's lowest resolution has a choice. Of a family's fixtures the first is taken, and
// with DUALPROCESS_MATRIX=1 all.
func TestGenerators(t *testing.T) {
	t.Run("pocket", func(t *testing.T) {
		generatortest.Run(t, func(ctx context.Context, rt *backends.Runtime) (dualprocess.Generator, error) {
			return pocket.Open(ctx, rt, pocket.Options{})
		},
			generatortest.Options{Prompts: []string{"a meadow at day", "a meadow at night with a tree", "a tree"}, Backend: backend()})
	})
	wanted := wanted(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		if !wanted(f, "model") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			generatortest.Run(t, func(ctx context.Context, rt *backends.Runtime) (dualprocess.Generator, error) {
				return open(ctx, t, rt, f, 96, 128)
			}, generatortest.Options{Backend: backend()})
		})
	}
}
