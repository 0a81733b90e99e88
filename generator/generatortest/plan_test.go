package generatortest_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/verifier"
	pocketverifier "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// near is how far a plan may be from what XLA says of the compiled program.
const near = 0.2

// planEnv asks for TestPlanIsWhatXLATakes: of the embedded pair by "pocket", of all by any
// other value. XLA compiles each of them, for minutes.
const planEnv = "DUALPROCESS_PLAN"

// memory of the device, for models that go by it.
const memory = 16 << 30

// TestPlanIsWhatXLATakes compares the bytes that an update works in with XLA's own
// statistics of the compiled program.
func TestPlanIsWhatXLATakes(t *testing.T) {
	pairs := os.Getenv(planEnv)
	if pairs == "" {
		t.Skip("XLA compiles each pair, and says what it takes in a log that is one for the process: DUALPROCESS_PLAN=1")
	}
	rt, err := backends.Open(t.Context(), backends.Options{NoDownload: true, Memory: memory})
	require.NoError(t, err)
	defer rt.Close()
	if rt.Backend.Name() != "xla" {
		t.Skip("no XLA here")
	}
	sketch, err := backends.Sketch(t.Context(), backends.Options{Backend: rt.Name, Memory: memory})
	require.NoError(t, err)
	defer sketch.Close()
	generators, verifiers := openPlanned(t, rt, pairs)
	outlines, lookers := openPlanned(t, sketch, pairs)
	for _, g := range slices.Sorted(maps.Keys(generators)) {
		for _, v := range slices.Sorted(maps.Keys(verifiers)) {
			t.Run(g+" with "+v, func(t *testing.T) {
				needs, err := dualprocess.Plan(t.Context(), planned(sketch, outlines[g], lookers[v]))
				require.NoError(t, err)
				took := compiled(t, func() {
					_, err := dualprocess.Distill(t.Context(), planned(rt, generators[g], verifiers[v]))
					require.NoError(t, err)
				})["gradient"]
				got := float64(needs.Phases[2].Working)
				t.Logf("planned %.4g bytes, XLA says %.4g", got, took)
				require.InEpsilon(t, took, got, near)
			})
		}
	}
}

// openPlanned opens the models of the pairs that are asked for.
func openPlanned(t *testing.T, rt *backends.Runtime, pairs string) (map[string]dualprocess.Generator, map[string]dualprocess.Verifier) {
	if pairs != "pocket" {
		return openGenerators(t, rt), openVerifiers(t, rt)
	}
	g, err := pocket.Open(t.Context(), rt, pocket.Options{})
	require.NoError(t, err)
	v, err := pocketverifier.Open(t.Context(), rt, pocketverifier.Options{})
	require.NoError(t, err)
	return map[string]dualprocess.Generator{"pocket": g}, map[string]dualprocess.Verifier{"pocket": v}
}

// planned is a task of one update.
func planned(rt *backends.Runtime, g dualprocess.Generator, v dualprocess.Verifier) dualprocess.Task {
	return dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v,
		Prompts:   []string{"a meadow at day"},
		Questions: []dualprocess.Question{{Text: "Is the horizon in the upper half of the picture?", Answer: "Yes"}},
		Adapter:   lora.Config{Rank: 2}, Updates: 1, EndStep: 1,
	}
}

// compiled runs f and returns the bytes of results and scratch space of the programs
// that XLA compiles meanwhile, by their names. go-xla tells them in its log alone.
func compiled(t *testing.T, f func()) map[string]float64 {
	t.Helper()
	var log bytes.Buffer
	set := flag.NewFlagSet("", flag.PanicOnError)
	klog.InitFlags(set)
	defer klog.CaptureState().Restore()
	klog.SetOutput(&log)
	for _, setting := range [][2]string{{"logtostderr", "false"}, {"alsologtostderr", "false"}, {"stderrthreshold", "FATAL"}, {"v", "1"}} {
		require.NoError(t, set.Set(setting[0], setting[1]))
	}
	f()
	klog.Flush()
	program := regexp.MustCompile(`Compiling "([^"#]+)(?s:.*?)On Device: \[.*?Outputs:([\d.]+) (\w+), .*?Temporary:([\d.]+) (\w+)\]`)
	all := map[string]float64{}
	for _, m := range program.FindAllStringSubmatch(log.String(), -1) {
		all[m[1]] = size(t, m[2], m[3]) + size(t, m[4], m[5])
	}
	return all
}

// size reads bytes as GoMLX prints them.
func size(t *testing.T, number, unit string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(number, 64)
	require.NoError(t, err)
	factors := map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	require.Contains(t, factors, unit)
	return value * factors[unit]
}

// TestPlan compares plans with what XLA said once, of pictures of the models' own size.
func TestPlan(t *testing.T) {
	for _, test := range []struct {
		generator, verifier string
		checkpoint          backends.Checkpointing
		scratch             float64 // of the program with the gradient
	}{
		{"flux_schnell", "llava", backends.CheckpointAuto, 565_617_604},
		{"flux_schnell", "llava", backends.CheckpointOn, 225_958_809},
		{"sd14", "qwen2_5_vl", backends.CheckpointAuto, 2_356_148_288},
		{"sana", "gemma3", backends.CheckpointAuto, 132_929_412},
	} {
		t.Run(test.generator+" with "+test.verifier, func(t *testing.T) {
			rt, err := backends.Sketch(t.Context(), backends.Options{Backend: "xla:cpu", Memory: memory})
			require.NoError(t, err)
			defer rt.Close()
			g, err := generator.Open(t.Context(), rt, folder("generator", test.generator), generator.Options{Checkpoint: test.checkpoint})
			require.NoError(t, err)
			v, err := verifier.Open(t.Context(), rt, folder("verifier", test.verifier), verifier.Options{Checkpoint: test.checkpoint})
			require.NoError(t, err)
			needs, err := dualprocess.Plan(t.Context(), dualprocess.Task{
				Runtime: rt, Generator: g, Verifier: v,
				Prompts:   []string{"a photo of a wheat field"},
				Questions: []dualprocess.Question{{Text: "Is the horizon aligned with the red line?", Answer: "Yes"}},
			})
			require.NoError(t, err)
			t.Log("\n" + needs.String())
			results := needs.Adapter + needs.Moments
			require.InEpsilon(t, test.scratch, float64(needs.Phases[2].Working-results), near)
			checkNeeds(t, needs, test.checkpoint)
		})
	}
}

// folder of the model of a fixture of this repository.
func folder(kind, name string) string {
	return filepath.Join("..", "..", "internal", "golden", "testdata", kind, name, "model")
}

// checkNeeds compares the numbers of a plan with each other.
func checkNeeds(t *testing.T, n *dualprocess.Needs, c backends.Checkpointing) {
	weights := int64(0)
	for _, p := range n.Weights {
		require.Positive(t, p.Bytes, p.Name)
		weights += p.Bytes
	}
	require.Len(t, n.Phases, 3)
	encoding, denoising, updating := n.Phases[0], n.Phases[1], n.Phases[2]
	require.GreaterOrEqual(t, encoding.Resident, weights, "all models are open")
	require.Less(t, updating.Resident, weights+n.Adapter+n.Moments, "the text encoders have gone")
	require.Equal(t, denoising.Resident, updating.Resident)
	require.Less(t, denoising.Working, updating.Working)
	require.Less(t, n.Recomputed, n.Kept)
	if c == backends.CheckpointOn {
		require.Equal(t, n.Recomputed, updating.Working)
		require.Len(t, n.Switches, 2)
		require.Equal(t, "Split", n.Switches[0].Setting)
		require.Contains(t, n.Switches[1].Setting, "Offload")
		require.Less(t, n.Switches[0].Peak, updating.Peak())
		require.Less(t, n.Switches[1].Peak, n.Switches[0].Peak)
		return
	}
	require.Equal(t, n.Kept, updating.Working)
	require.Equal(t, updating.Resident+n.Recomputed, n.Switches[0].Peak)
	require.Equal(t, updating.Peak(), n.Peak())
	require.Greater(t, n.Operations, updating.Operations-1)
	require.Positive(t, encoding.Operations)
	require.True(t, n.Fits())
	n.Memory = n.Peak() - 1
	require.False(t, n.Fits())
	require.Contains(t, n.String(), "does not fit")
	require.Contains(t, n.String(), "with Checkpoint: backends.CheckpointOn")
	n.Memory = 0
	require.True(t, n.Fits())
}
