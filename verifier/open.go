// Package verifier opens vision-language models from local folders in the layout
// of Hugging Face. The models themselves are in the folders below, one each, and
// may be opened directly.
package verifier

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// ErrUnsupported says that a folder holds a model that this library does not have.
var ErrUnsupported = errors.New("unsupported model")

// Open opens the verifier in folder, by the architecture that its config.json
// names. Its weights become frozen variables of the runtime's store. The error
// wraps ErrUnsupported, and names the architecture, where the library does not
// have it.
func Open(ctx context.Context, rt *backends.Runtime, folder string) (dualprocess.Verifier, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("verifier: %w", err)
	}
	const config = "config.json"
	fsys := os.DirFS(folder)
	architectures, err := weights.ReadField[[]string](fsys, config, "architectures")
	if err != nil {
		return nil, fmt.Errorf("verifier: open %s: %w", folder, err)
	}
	if slices.Contains(architectures, pocket.Architecture) {
		return pocket.OpenFS(rt, fsys)
	}
	return nil, fmt.Errorf("verifier: %s: %w: architectures is %q", filepath.Join(folder, config), ErrUnsupported, architectures)
}
