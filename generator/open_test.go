package generator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/flux2"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sanasprint"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/generator/zimage"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// families are the kinds of fixtures that the models' own tests compare.
var families = map[string]any{
	"flux": &flux.Generator{}, "flux2": &flux2.Generator{}, "sana": &sana.Generator{}, "sana_sprint": &sanasprint.Generator{},
	"sd": &sd.Generator{}, "z_image": &zimage.Generator{},
}

// TestGoldenFamilies sees to it that no fixture of a generator is passed over.
func TestGoldenFamilies(t *testing.T) {
	for _, f := range golden.Fixtures(t, golden.Generator) {
		t.Run(f.Name, func(t *testing.T) {
			require.Contains(t, families, family(t, f), "no test compares this fixture")
		})
	}
}

func family(t *testing.T, f *golden.Fixture) string {
	var about struct{ Spec struct{ Family string } }
	f.Decode(t, &about)
	return about.Spec.Family
}

func TestOpen(t *testing.T) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		g, err := Open(t.Context(), rt, f.Path("model"), Options{Height: 64, Width: 96, Steps: 3})
		require.NoError(t, err)
		require.IsType(t, families[family(t, f)], g)
		require.Equal(t, 3, g.Steps())
		require.DirExists(t, filepath.Join(f.Path("model"), g.(dualprocess.Presetter).Preset().Prefix), "the adapted network")
		latents, err := g.Latents(1)
		require.NoError(t, err)
		require.Zero(t, latents.Shape().Size()%3, "no latents of pictures of 2 by 3 squares")
	}
}

// folderOf is a folder that says of what class it is, and holds nothing else.
func folderOf(t *testing.T, class string) string {
	folder := t.TempDir()
	index := fmt.Sprintf(`{"_class_name": %q}`, class)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "model_index.json"), []byte(index), 0o600))
	return folder
}

// TestOpenNil sees to it that a generator that could not be opened is nil, and not an
// interface that holds a nil pointer.
func TestOpenNil(t *testing.T) {
	rt := golden.Runtime(t)
	for _, class := range []string{flux.Pipeline, flux2.Pipeline, sana.Pipeline, sanasprint.Pipeline, sd.Pipeline, zimage.Pipeline, pocket.Pipeline, "StableCascadePipeline"} {
		g, err := Open(t.Context(), rt, folderOf(t, class), Options{})
		require.Error(t, err, class)
		require.True(t, g == nil, class)
		require.Equal(t, 1, strings.Count(err.Error(), "open ")+strings.Count(err.Error(), ErrUnsupported.Error()), err)
	}
	_, err := Open(t.Context(), nil, folderOf(t, flux.Pipeline), Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	var none context.Context
	_, err = Open(none, rt, folderOf(t, flux.Pipeline), Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(ended, rt, folderOf(t, flux.Pipeline), Options{})
	require.ErrorIs(t, err, context.Canceled)
	f, err := flux.OpenFS(t.Context(), rt, nil, flux.Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.Nil(t, f)
	p, err := pocket.OpenFS(t.Context(), rt, nil, pocket.Options{})
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.Nil(t, p)
}

// TestOptions sets fields that a model does not have, or not so.
func TestOptions(t *testing.T) {
	rt := golden.Runtime(t)
	refuses := func(folder, field string, o Options) {
		_, err := Open(t.Context(), rt, folder, o)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, field)
	}
	all := map[string]Options{
		"Height": {Height: 64}, "Width": {Width: 64}, "Steps": {Steps: 4}, "Guidance": {Guidance: new(2.0)},
		"NegativePrompt": {NegativePrompt: "blurred"}, "TextTokens": {TextTokens: 8}, "Checkpoint": {Checkpoint: backends.CheckpointOn},
		"Ignore": {Ignore: []string{"surprise"}}, "Variant": {Variant: "fp16"},
	}
	require.Len(t, all, reflect.TypeFor[Options]().NumField()-2, "and Hub, which is not the models' concern, and Int8, which all have")
	for field, o := range all {
		refuses(folderOf(t, pocket.Pipeline), field, o)
	}
	refuses(folderOf(t, flux.Pipeline), "NegativePrompt", all["NegativePrompt"])
	refuses(folderOf(t, sanasprint.Pipeline), "NegativePrompt", all["NegativePrompt"])
	refuses(folderOf(t, sd.Pipeline), "TextTokens", all["TextTokens"])
	schnell := false
	for _, f := range golden.Fixtures(t, golden.Generator) {
		refuses(f.Path("model"), "Height", Options{Height: 65})
		refuses(f.Path("model"), "Steps", Options{Steps: -1})
		if strings.HasSuffix(f.Name, "flux_schnell") {
			refuses(f.Path("model"), "Guidance", all["Guidance"])
			schnell = true
		}
	}
	require.True(t, schnell, "no generator without guidance")
}

func TestOpenErrors(t *testing.T) {
	rt := golden.Runtime(t)
	folder := t.TempDir()
	index := filepath.Join(folder, "model_index.json")
	for name, test := range map[string]struct{ text, want string }{
		"class":    {`{"_class_name": "StableCascadePipeline"}`, "StableCascadePipeline"},
		"no class": {`{}`, "_class_name"},
		"not JSON": {`]`, "model_index.json"},
		"a list":   {`{"_class_name": ["FluxPipeline"]}`, "_class_name"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(index, []byte(test.text), 0o600))
			_, err := Open(t.Context(), rt, folder, Options{})
			require.ErrorContains(t, err, test.want)
		})
	}
	require.NoError(t, os.WriteFile(index, []byte(`{"_class_name": "StableCascadePipeline"}`), 0o600))
	_, err := Open(t.Context(), rt, folder, Options{})
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = Open(t.Context(), rt, filepath.Join(folder, "nothing"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}
