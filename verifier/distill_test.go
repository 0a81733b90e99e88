package verifier_test

import (
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator/flux"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// TestGoldenDistill distils FLUX.1 schnell from each vision-language model, twice:
// losses and adapter are the same, bit for bit.
func TestGoldenDistill(t *testing.T) {
	if testing.Short() {
		t.Skip("ten updates for each model")
	}
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		t.Run(f.Name, func(t *testing.T) {
			var about struct {
				Model string
				Split bool
			}
			f.Decode(t, &about)
			rt := golden.Plain(t)
			v, err := verifier.Open(t.Context(), rt, f.Path(about.Model), verifier.Options{Split: about.Split})
			require.NoError(t, err)
			g := schnell(t, rt)
			losses, adapter := distil(t, rt, g, v)
			again, same := distil(t, rt, g, v)
			require.Equal(t, losses, again)
			require.Equal(t, adapter, same)
			for _, b := range adapter.Params()[1:2] { // the first layer's B, which begins with zeros
				require.NotZero(t, tensors.MustCopyFlatData[float32](b)[0], "nothing was learned")
			}
		})
	}
}

// schnell opens the first fixture of FLUX.1 schnell, for small pictures.
func schnell(t *testing.T, rt *backends.Runtime) dualprocess.Generator {
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var about struct {
			Spec struct {
				Family  string
				Distils bool `json:"guidance_embeds"`
			}
		}
		if f.Decode(t, &about); about.Spec.Family == "flux" && !about.Spec.Distils {
			g, err := flux.Open(t.Context(), rt, f.Path("model"), flux.Options{Height: 48, Width: 64, TextTokens: 8})
			require.NoError(t, err)
			return g
		}
	}
	require.Fail(t, "no fixture of schnell")
	return nil
}

func distil(t *testing.T, rt *backends.Runtime, g dualprocess.Generator, v dualprocess.Verifier) (losses []float64, a *lora.Adapter) {
	const updates = 5
	a, err := dualprocess.Distill(t.Context(), dualprocess.Task{
		Runtime: rt, Generator: g, Verifier: v, Prompts: []string{"a red horse"},
		Questions: []dualprocess.Question{{Text: "Is the horse red?", Answer: "Yes"}, {Text: "What is it?", Answer: "A horse, I think.", Bare: true}},
		Updates:   updates, SeedCount: 2, Seed: 7,
		Progress: func(u dualprocess.Update) {
			require.False(t, u.Skipped, u.Fault)
			losses = append(losses, u.Loss)
		},
	})
	require.NoError(t, err)
	require.Len(t, losses, updates)
	return losses, a
}
