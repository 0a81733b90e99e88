package decoder

import (
	"os"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// gemmaTolerance is that of the generators' README for Sana.
const gemmaTolerance = 2e-4

// TestGoldenGemma2 compares Gemma 2 as Sana's encoder of padded prompts.
func TestGoldenGemma2(t *testing.T) {
	rt, found := golden.Runtime(t), false
	for _, f := range golden.Fixtures(t, golden.Generator) {
		if !f.Has("text.gemma.out_plain") {
			continue // of another generator
		}
		found = true
		t.Run(f.Name, func(t *testing.T) {
			const folder = "model/text_encoder"
			data, err := os.ReadFile(f.Path(folder + "/config.json"))
			require.NoError(t, err)
			cfg, err := ParseConfig(data)
			require.NoError(t, err)
			var m *Decoder
			require.NoError(t, weights.LoadTo(rt, os.DirFS(f.Folder), folder, weights.Root(rt.Store, "/gemma"), nil,
				func(c weights.Cursor) { m = New(c, cfg) }))
			testGemma2(t, f, golden.Run(t, rt, func(in []*Node) golden.Outputs {
				pass := nn.Pass{Recorder: &nn.Recorder{}}
				x := m.Embed(pass, in[0], dtypes.Float32)
				hidden, _ := m.Apply(pass, Span{Embeds: x, Valid: GreaterThan(in[1], ZerosLike(in[1]))}, nil)
				out := f.Recorded("text.gemma.mod.", pass.Recorder, "")
				out["hidden"] = hidden
				return out
			}, [][]int32{f.Ints(t, "text.gemma.ids_plain")}, [][]int32{f.Ints(t, "text.gemma.mask_plain")}))
		})
	}
	require.True(t, found)
}

// testGemma2 compares all rows of the output, those of the padding included, and
// the words' rows of what is inside.
func testGemma2(t *testing.T, f *golden.Fixture, got golden.Results) {
	require.NoError(t, golden.Close(got.Floats(t, "hidden"), floats(t, f, "text.gemma.out_plain"), gemmaTolerance))
	const prefix = "text.gemma.mod."
	found := 0
	for _, key := range f.Keys() {
		name, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		want := floats(t, f, key)
		require.NoError(t, golden.Close(got.Floats(t, name)[:len(want)], want, gemmaTolerance), key)
		found++
	}
	require.NotZero(t, found)
}

func floats(t *testing.T, f *golden.Fixture, key string) []float32 {
	values, _ := f.Floats(t, key)
	return values
}
