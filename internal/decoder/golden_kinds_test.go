package decoder

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestGoldenKinds compares settings that the verifiers' fixtures leave out: biases
// everywhere, windows shorter than a text in each kind, soft caps, scalings,
// positions of their own for each row, a padded row. On the pure Go backend,
// which compiles nothing.
func TestGoldenKinds(t *testing.T) {
	for _, f := range golden.Files(t, "decoder") {
		t.Run(filepath.Base(f.Folder), func(t *testing.T) {
			rt, err := backends.Open(t.Context(), backends.Options{Backend: "go", NoDownload: true})
			require.NoError(t, err)
			defer rt.Close()
			data, err := os.ReadFile(f.Path("config.json"))
			require.NoError(t, err)
			cfg, err := ParseConfig(data)
			require.NoError(t, err)
			var m *Decoder
			headless := cfg.Sections != nil
			require.NoError(t, weights.LoadTo(rt, os.DirFS(f.Folder), ".", "/model", nil, func(c weights.Cursor) {
				if headless {
					m = New(c, cfg)
				} else {
					m = NewWithHead(c.In("model"), c.In("lm_head"), cfg)
				}
			}))
			got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
				h, _ := m.Apply(nn.Pass{}, kindSpan(m, in), nil)
				if !headless {
					h = m.Logits(nn.Pass{}, h)
				}
				return golden.Outputs{"out": h}
			}, kindInputs(t, f)...)
			near(t, got.Floats(t, "out"), floats(t, f, "out"))
			if f.Has("hidden_states") {
				testStates(t, rt, f, cfg, m)
			}
		})
	}
}

// kindInputs are ids and mask [B, S], and positions [3, B, S] where there are some.
func kindInputs(t *testing.T, f *golden.Fixture) []any {
	const batch = 2
	ids := f.Ints(t, "input_ids")
	inputs := []any{
		tensors.FromFlatDataAndDimensions(ids, batch, len(ids)/batch),
		tensors.FromFlatDataAndDimensions(f.Ints(t, "attention_mask"), batch, len(ids)/batch),
	}
	if f.Has("position_ids") {
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(f.Ints(t, "position_ids"), 3, batch, len(ids)/batch))
	}
	return inputs
}
