package gemma3

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// TestGolden compares everything that the fixtures hold about Gemma 3.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Bidirectional: func(ctx context.Context, rt *backends.Runtime, fsys fs.FS, o vlm.Options) (*vlm.Verifier, error) {
			return openAs(ctx, rt, fsys, o, true)
		},
		Text: func(prompt string) string { return strings.Replace(prompt, picture, imageBegin, 1) },
	})
}
