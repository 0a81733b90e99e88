package llava

import (
	"testing"

	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
)

// TestGolden compares everything that the fixtures hold about LLaVA.
func TestGolden(t *testing.T) {
	vlmtest.Golden(t, vlmtest.Model{
		Name: name, Open: open,
		Unused: 1, Generates: true,
	})
}
