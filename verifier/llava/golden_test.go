package llava

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// TestGolden compares everything that the fixtures hold about LLaVA.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Target: func(v *vlm.Verifier, picture vision.Size) (vision.Size, error) {
			return vlm.Pieces(v).Model.(*network).config.Picture.target(picture), nil
		},
		Unused: 1,
	})
}
