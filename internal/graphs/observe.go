package graphs

import "context"

// Event tells that a program begins to compile or to run.
type Event struct {
	Program   string // its name
	Compiling bool
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
