package pipeline

import (
	"context"
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
)

// CheckCall returns an error for the arguments that every Open has, if they are nil
// or the context has ended.
func CheckCall(ctx context.Context, rt *backends.Runtime) error {
	switch {
	case ctx == nil:
		return fmt.Errorf("%w: the context is nil", ErrOptions)
	case rt == nil:
		return fmt.Errorf("%w: the runtime is nil", ErrOptions)
	}
	return ctx.Err()
}
