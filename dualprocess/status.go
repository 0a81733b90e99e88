package dualprocess

import (
	"context"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Phase is what a long call is doing.
type Phase string

// The phases of Distill, in the order in which they first come, and of Evaluate.
const (
	Encoding   Phase = "encoding"   // prompts and questions
	Compiling  Phase = "compiling"  // a program, once for each of its shapes on a runtime
	Denoising  Phase = "denoising"  // without gradient, to the step that is taken with it
	Updating   Phase = "updating"   // the adapter, by the gradient
	Validating Phase = "validating" // pictures of the validation's seeds
	Showing    Phase = "showing"    // pictures of a snapshot
	Saving     Phase = "saving"     // a checkpoint
	Rendering  Phase = "rendering"  // pictures, and rating them
)

// Status says what begins to be done. It lasts until the next Status: whoever shows
// it shall count the seconds himself, as nothing is told while a program compiles or
// runs.
type Status struct {
	Phase   Phase
	Program string // that compiles; empty in other phases

	Number, Total int           // of the update under way, from 1, and the most that there will be; Number 0 = not yet
	Elapsed       time.Duration // since the call began
}

// clock tells what begins to be done.
type clock struct {
	began  time.Time
	status Status
	tell   func(Status) // nil = nobody wants to know
}

// phase begins a phase, unless it goes on.
func (c *clock) phase(p Phase) { c.set(p, "") }

func (c *clock) set(p Phase, program string) {
	if c.status.Phase == p && c.status.Program == program {
		return
	}
	c.status.Phase, c.status.Program = p, program
	c.status.Elapsed = time.Since(c.began)
	if c.tell != nil {
		c.tell(c.status)
	}
}

// observed returns a context whose programs tell when they compile; once they have,
// the phase before goes on.
func (c *clock) observed(ctx context.Context) context.Context {
	before := c.status.Phase
	return graphs.Observed(ctx, func(e graphs.Event) {
		switch {
		case e.Compiling:
			if c.status.Phase != Compiling {
				before = c.status.Phase
			}
			c.set(Compiling, e.Program)
		case c.status.Phase == Compiling:
			c.set(before, "")
		}
	})
}
