package verifiertest_test

import (
	"context"
	"testing"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/verifier"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
	"github.com/dualprocess/dualprocess-go/verifier/verifiertest"
)

// TestVerifiers runs the suite on every verifier of the library, on the pure Go
// backend: it is done before XLA has compiled the first graph.
func TestVerifiers(t *testing.T) {
	t.Run("pocket", func(t *testing.T) {
		verifiertest.Run(t, func(ctx context.Context, rt *backends.Runtime) (dualprocess.Verifier, error) {
			return pocket.Open(ctx, rt, pocket.Options{})
		},
			verifiertest.Options{
				Questions: []dualprocess.Question{
					{Text: "Is the horizon in the upper half of the picture?", Answer: "Yes"},
					{Text: "Is there a tree in the picture?", Answer: "No"},
				},
				Refused: [][2]int{{64, 65}, {32, 32}}, Backend: "go",
			})
	})
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		t.Run(f.Name, func(t *testing.T) {
			var about struct {
				Model string
				Split bool
			}
			f.Decode(t, &about)
			verifiertest.Run(t, func(ctx context.Context, rt *backends.Runtime) (dualprocess.Verifier, error) {
				return verifier.Open(ctx, rt, f.Path(about.Model), verifier.Options{Split: about.Split})
			}, verifiertest.Options{Height: 60, Width: 76, Backend: "go"})
		})
	}
}
