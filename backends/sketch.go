package backends

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// ErrSketch says that a runtime of Sketch was asked to compute.
var ErrSketch = errors.New("a sketch computes nothing")

// Sketch returns a Runtime for the planning of what another one would do: models are opened on it without their weights,
// of which it keeps the shapes, graphs are built, counted and thrown away, and results are zeros. So it needs neither the
// device nor its memory. It is for dualprocess.Plan; functions that compute refuse it or give zeros.
//
// o.Backend names what is planned for, in the syntax of Open; "" is xla:cuda where there is a card, else xla:cpu. o.Memory
// is the device's; where it is 0, that of this machine counts. Errors wrap ErrUnavailable or ErrOptions.
func Sketch(ctx context.Context, o Options) (*Runtime, error) {
	o, err := o.resolved(ctx)
	if err != nil {
		return nil, err
	}
	c, err := sketched(ctx, o)
	if err != nil {
		return nil, err
	}
	name := c.name()
	shapes, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("backends: %w: %w", ErrUnavailable, err)
	}
	b := sketch{shapes, name, shapes.Capabilities().Clone()}
	if name == "xla:cuda" && !o.PlainAttention { // as go-xla has it there
		b.can.Operations[compute.OpTypeFusedScaledDotProductAttention] = true
		b.can.Operations[compute.OpTypeFusedScaledDotProductAttentionVJP] = true
	}
	rt, err := newRuntime(b, name, name+": sketched, nothing is computed", o)
	if err != nil {
		return nil, err
	}
	rt.memory = cmp.Or(o.Memory, usableMemory(ctx, c, o))
	return rt, nil
}

// sketched is the backend that is planned for.
func sketched(ctx context.Context, o Options) (choice, error) {
	asked := cmp.Or(o.Backend, os.Getenv(compute.ConfigEnvVar), "xla")
	choices, err := parse(asked)
	if err != nil {
		return choice{}, err
	}
	if len(choices) == 1 || freeCUDA(ctx, o.Device) > 0 {
		return choices[0], nil
	}
	return choices[1], nil // of "xla" alone
}

// sketch is a backend that builds graphs as the named one does, but for the code: it lets the pure Go backend infer the
// shapes.
type sketch struct {
	compute.Backend
	name string
	can  compute.Capabilities
}

// Capabilities are those of the pure Go backend, and attention in one kernel where the backend planned for has it.
func (s sketch) Capabilities() compute.Capabilities { return s.can }

// Name is that of the backend that is planned for, as graph functions ask for it.
func (s sketch) Name() string {
	if s.name == "go" {
		return s.Backend.Name()
	}
	return "xla"
}

// String is Name.
func (s sketch) String() string { return s.Name() }

// Description says what it is, for people.
func (s sketch) Description() string { return "sketch of " + s.name }

// Builder infers shapes and compiles nothing.
func (s sketch) Builder(name string) compute.Builder { return blueprint{s.Backend.Builder(name)} }

// Sketched tells a runtime of Sketch from others.
func (r *Runtime) Sketched() bool {
	if r == nil {
		return false
	}
	_, ok := r.Backend.(sketch)
	return ok
}

// Suppose has all models of a sketch decide so about recomputing, whatever they were opened with, and be offloaded or not;
// CheckpointAuto leaves it to them again. It panics on any other runtime. No graph may be under construction meanwhile.
func (r *Runtime) Suppose(c Checkpointing, offload bool) {
	if !r.Sketched() {
		panic(ErrSketch)
	}
	r.supposed, r.offload = c, offload
}
