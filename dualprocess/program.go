package dualprocess

import (
	"fmt"
	"strings"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Everything that changes between the runs of a program is an input, of a shape
// that does not change, so that a program is compiled once: for a task, for the
// next one, and for all that sample, evaluate and score with the same models.
// Inputs come in groups: an adapter, conditions, a micro-batch, an exam, the
// optimiser's state. Each group is a type whose method inputs lists it on the host,
// and whose method take reads it in the graph, in the same order; the two stand
// side by side. What shapes a graph besides its inputs is its form: a group that
// does so has a method for that, too.

// group is what lists inputs on the host.
type group interface{ inputs() []any }

// form is what shapes a graph besides the models and the shapes of the inputs.
type form struct {
	text strings.Builder
	own  bool // something shapes it that has no words: nobody else can share it
}

// formOf describes values, each by its type and contents.
func formOf(values ...any) *form {
	f := &form{}
	return f.add(values...)
}

// add describes more values.
func (f *form) add(values ...any) *form {
	for _, v := range values {
		fmt.Fprintf(&f.text, "%T%+v;", v, v)
	}
	return f
}

// newProgram returns a program of a graph function that takes its inputs from a
// cursor, all of them, in the order in which Run is given them. models are those
// that the graph function calls.
func newProgram(rt *backends.Runtime, name string, f *form, build func(in *cursor) []*Node, models ...any) *graphs.Program {
	key := graphs.Key{Name: name, Form: f.text.String()}
	copy(key.Models[:], models)
	create := graphs.New
	if f.own {
		create = graphs.NewOwn
	}
	return create(rt, key, func(nodes []*Node) []*Node {
		in := &cursor{nodes}
		out := build(in)
		if len(in.nodes) != 0 {
			exceptions.Panicf("%d inputs were not used", len(in.nodes))
		}
		return out
	})
}

// cursor hands out the inputs of a graph function in order.
type cursor struct{ nodes []*Node }

// take returns the next n nodes.
func (c *cursor) take(n int) []*Node {
	if n > len(c.nodes) {
		exceptions.Panicf("%d more inputs wanted, %d are left", n, len(c.nodes))
	}
	taken := c.nodes[:n:n]
	c.nodes = c.nodes[n:]
	return taken
}

// one returns the next node.
func (c *cursor) one() *Node { return c.take(1)[0] }

// Programs says what a runtime has compiled: of this package's functions, and of the
// library's own models.
type Programs struct {
	Kept     int           // that are compiled now; those not used for longest go first
	Compiled int           // so far, those that went included
	Time     time.Duration // that compiling took
}

// Compiled returns the statistics of a runtime that is open. A service watches them:
// where Compiled grows with every job, something shapes the graphs that should not.
func Compiled(rt *backends.Runtime) Programs {
	s := graphs.StatsOf(rt)
	return Programs{s.Kept, s.Compiled, s.Time}
}

// Forget frees the compiled programs that call a generator or verifier; they are
// compiled again when they are needed. The library's own models do so when they are
// closed.
func Forget(rt *backends.Runtime, model any) { graphs.Forget(rt, model) }
