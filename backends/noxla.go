//go:build !(cgo && !noxla && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64)))

package backends

import (
	"context"
	"fmt"
	"runtime"

	"github.com/gomlx/compute"
)

// openXLA says why this build has no XLA.
func openXLA(context.Context, choice, Options) (compute.Backend, string, error) {
	return nil, "", fmt.Errorf("%w: this program was built without XLA, which needs cgo (a C compiler, CGO_ENABLED=1), "+
		"no tag noxla, and a system that it supports (this is %s/%s)", ErrUnavailable, runtime.GOOS, runtime.GOARCH)
}
