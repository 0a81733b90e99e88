//go:build !(cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64)))

package backends

import (
	"fmt"

	"github.com/gomlx/compute"
)

func openXLA(string) (compute.Backend, error) {
	return nil, fmt.Errorf("XLA is not part of this build: it needs cgo: %w", ErrUnavailable)
}
