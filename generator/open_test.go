package generator

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/generator/sana"
	"github.com/dualprocess/dualprocess-go/generator/sd"
	"github.com/dualprocess/dualprocess-go/internal/golden"
)

// families are the kinds of fixtures that the models' own tests compare.
var families = map[string]any{"flux": &flux.Generator{}, "sana": &sana.Generator{}, "sd": &sd.Generator{}}

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
		g, err := Open(t.Context(), rt, f.Path("model"))
		require.NoError(t, err)
		require.IsType(t, families[family(t, f)], g)
	}
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
			_, err := Open(t.Context(), rt, folder)
			require.ErrorContains(t, err, test.want)
		})
	}
	require.NoError(t, os.WriteFile(index, []byte(`{"_class_name": "StableCascadePipeline"}`), 0o600))
	_, err := Open(t.Context(), rt, folder)
	require.ErrorIs(t, err, ErrUnsupported)
	_, err = Open(t.Context(), rt, filepath.Join(folder, "nothing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
