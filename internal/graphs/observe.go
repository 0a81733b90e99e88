package graphs

import (
	"context"

	"github.com/dualprocess/dualprocess-go/internal/cost"
)

// Event tells that a program begins to compile or to run, or that it would.
type Event struct {
	Program   string // its name
	Compiling bool
	Cost      *cost.Cost // on a runtime that is a sketch, where nothing runs; else nil
}

type observerKey struct{}

// Observed returns a context whose programs tell what they do. tell is called on the
// goroutine that runs them.
func Observed(ctx context.Context, tell func(Event)) context.Context {
	return context.WithValue(ctx, observerKey{}, tell)
}

func observe(ctx context.Context, e Event) {
	if tell, ok := ctx.Value(observerKey{}).(func(Event)); ok {
		tell(e)
	}
}
