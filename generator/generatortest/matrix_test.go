package generatortest_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/verifier"
	pocketverifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// side of the pictures in the matrix: one that all models can do with.
const side = 128

// matrixEnv asks for all pairs of TestDistillMatrix: any value.
const matrixEnv = "DUALPROCESS_MATRIX"

// TestDistillMatrix distils verifiers into generators, all open on one runtime, twice:
// the adapters are equal bit for bit. Each verifier takes part once, and each generator
// at least once, both with the first fixture of their class; DUALPROCESS_MATRIX=1 tries all
// pairs of all fixtures, for minutes. What is new joins by its fixture.
func TestDistillMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	rt, err := backends.Open(t.Context(), backends.Options{Backend: backend(), NoDownload: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close()) })
	generators, verifiers := openGenerators(t, rt), openVerifiers(t, rt)
	for row, generatorName := range slices.Sorted(maps.Keys(generators)) {
		for column, verifierName := range slices.Sorted(maps.Keys(verifiers)) {
			if os.Getenv(matrixEnv) == "" && column%len(generators) != row%len(verifiers) {
				continue
			}
			g, v := generators[generatorName], verifiers[verifierName]
			t.Run(generatorName+" with "+verifierName, func(t *testing.T) {
				first, second := distilled(t, rt, g, v), distilled(t, rt, g, v)
				again := second.Params()
				for k, p := range first.Params() {
					layer, values := first.Layers()[k/2], tensors.MustCopyFlatData[float32](p)
					require.True(t, slices.Equal(values, tensors.MustCopyFlatData[float32](again[k])), "two runs differ in matrix %d of %s", k%2, layer)
					require.False(t, slices.Equal(values, make([]float32, len(values))), "matrix %d of %s learnt nothing", k%2, layer)
				}
			})
		}
	}
}

func openGenerators(t *testing.T, rt *backends.Runtime) map[string]dualprocess.Generator {
	own, err := pocket.Open(t.Context(), rt, pocket.Options{})
	require.NoError(t, err)
	all := map[string]dualprocess.Generator{"pocket": own}
	wanted := wanted(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		if !wanted(f, "model") {
			continue
		}
		all[f.Name], err = open(t.Context(), t, rt, f, side, side)
		require.NoError(t, err, f.Name)
	}
	return all
}

func openVerifiers(t *testing.T, rt *backends.Runtime) map[string]dualprocess.Verifier {
	own, err := pocketverifier.Open(t.Context(), rt, pocketverifier.Options{})
	require.NoError(t, err)
	all := map[string]dualprocess.Verifier{"pocket": own}
	wanted := wanted(t)
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Model string }
		f.Decode(t, &about)
		if !wanted(f, about.Model) {
			continue
		}
		all[f.Name], err = verifier.Open(t.Context(), rt, f.Path(about.Model), verifier.Options{})
		require.NoError(t, err, f.Name)
	}
	return all
}

// wanted tells whether a fixture is the first of its class, or all are wanted.
func wanted(t *testing.T) func(f *golden.Fixture, folder string) bool {
	first := golden.FirstOfClass(t)
	return func(f *golden.Fixture, folder string) bool { return first(f, folder) || os.Getenv(matrixEnv) != "" }
}

// distilled makes a few updates of a new adapter, with words that even the pocket
// models know.
func distilled(t *testing.T, rt *backends.Runtime, g dualprocess.Generator, v dualprocess.Verifier) *lora.Adapter {
	made := 0
	a, err := dualprocess.Distill(t.Context(), dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v,
		Prompts:   []string{"a meadow at day"},
		Questions: []dualprocess.Question{{Text: "Is the horizon in the upper half of the picture?", Answer: "Yes"}},
		Adapter:   lora.Config{Rank: 2}, Updates: 2, Seed: 5,
		Progress: func(u dualprocess.Update) {
			require.False(t, u.Skipped, "%s is not finite", u.Fault)
			require.Positive(t, u.GradientNorm)
			made++
		},
	})
	require.NoError(t, err)
	require.Equal(t, 2, made)
	return a
}
