package pixtral

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// own is what this folder gave a verifier.
func own(v *vlm.Verifier) *network { return vlm.Pieces(v).Model.(*network) }

// TestGolden compares everything that the fixtures hold about Pixtral.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Whole: func(x vlmtest.Case) map[string][]int32 {
			size := own(x.Verifier).target(x.Size)
			return map[string][]int32{"image_sizes": {int32(size.Height), int32(size.Width)}}
		},
	})
}
