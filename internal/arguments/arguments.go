// Package arguments checks what models are opened and called with, before any work.
// Errors wrap dualprocess.ErrTask and name the argument.
package arguments

import (
	"context"
	"fmt"
	"reflect"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Given returns an error if an argument is nil, or a nil pointer within an interface.
func Given(name string, argument any) error {
	if v := reflect.ValueOf(argument); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return fmt.Errorf("%w: %s: must be given", dualprocess.ErrTask, name)
	}
	return nil
}

// Context returns an error if the context is nil, and its own if it has ended.
func Context(ctx context.Context) error {
	if err := Given("Context", ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// Call checks the arguments that every Open has. A runtime that is closed is an error
// that wraps backends.ErrClosed, too.
func Call(ctx context.Context, rt *backends.Runtime) error {
	if err := Context(ctx); err != nil {
		return err
	}
	if rt == nil || rt.Backend == nil || rt.Store == nil {
		return fmt.Errorf("%w: Runtime: must be an open runtime", dualprocess.ErrTask)
	}
	if rt.Backend.IsFinalized() {
		return fmt.Errorf("%w: Runtime: %w", dualprocess.ErrTask, backends.ErrClosed)
	}
	return nil
}
