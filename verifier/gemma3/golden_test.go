package gemma3

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// TestGolden compares everything that the fixtures hold about Gemma 3.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: "gemma3",
		Open: Open,
		Together: func(ctx context.Context, rt *backends.Runtime, folder string, o Options) (*Verifier, error) {
			return open(ctx, rt, os.DirFS(folder), o, true)
		},
		Target: func(v *Verifier, _ vision.Size) (vision.Size, error) {
			return vlm.Pieces(v).Model.(*network).config.Picture.size(), nil
		},
		Text: func(prompt string) string { return strings.Replace(prompt, picture, imageBegin, 1) },
	})
}
