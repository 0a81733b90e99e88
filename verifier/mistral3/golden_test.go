package mistral3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// own is what this folder gave a verifier.
func own(v *vlm.Verifier) *network { return vlm.Pieces(v).Model.(*network) }

// TestGolden compares everything that the fixtures hold about Ministral 3.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Whole: func(x vlmtest.Case) map[string][]int32 {
			size := own(x.Verifier).target(x.Size)
			return map[string][]int32{"image_sizes": {int32(size.Height), int32(size.Width)}}
		},
	})
}

// TestGoldenPublishedSizes compares the rule of sizes with the published limits.
func TestGoldenPublishedSizes(t *testing.T) {
	found := 0
	for _, f := range golden.Fixtures(t, golden.Verifier) {
		var about struct{ Name string }
		if f.Decode(t, &about); about.Name != name || f.Variant() != "" {
			continue
		}
		var file struct {
			Rule struct {
				Size  vision.PixtralSize
				Table []struct{ In, Out []int }
			} `json:"size_rule_published"`
		}
		f.Beside(t, "official").Decode(t, &file)
		for _, r := range file.Rule.Table {
			got := file.Rule.Size.Target(vision.Size{Height: r.In[0], Width: r.In[1]}, 28)
			require.Equal(t, vision.Size{Height: r.Out[0], Width: r.Out[1]}, got, r.In)
			found++
		}
	}
	require.NotZero(t, found)
}
