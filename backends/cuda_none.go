//go:build cgo && !noxla && ((linux && arm64) || (darwin && arm64) || (windows && amd64))

package backends

import (
	"context"
	"errors"

	"github.com/dualprocess/dualprocess-go/backends/internal/install"
)

// installCUDA says that there is nothing to install: JAX's wheels are taken for linux/amd64 only, as go-xla does.
func installCUDA(context.Context, *install.Client, install.Pip, string) (string, error) {
	return "", errors.New("XLA CUDA is installed on linux/amd64 only")
}
