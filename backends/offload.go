package backends

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Offloads tells whether weights are on the device only while a program computes with them: Options.Offload.
func (r *Runtime) Offloads() bool { return r.offload }

// Clear moves to the host the weights that a graph does not compute with, on a runtime that offloads, and keeps all other
// programs from running until done is called; elsewhere it does nothing. It is for whoever runs the graph, whose own
// weights come to the device as it runs. It must not be asked for again by who holds it.
func (r *Runtime) Clear(g *graph.Graph) (done func(), err error) {
	if !r.offload {
		return func() {}, nil
	}
	t := r.table
	t.turn.Lock()
	if t.present != g {
		if err := r.moveOff(g); err != nil {
			t.turn.Unlock()
			return nil, fmt.Errorf("backends: move weights to the host: %w", err)
		}
		t.present = g
	}
	return t.turn.Unlock, nil
}

// moveOff moves the values of all variables but those of a graph.
func (r *Runtime) moveOff(g *graph.Graph) error {
	defer r.Building()()
	for v := range r.Store.IterVariables() {
		if v.InUseByGraph(g) || !v.HasValue() {
			continue
		}
		value, err := v.Value()
		if err != nil {
			return err
		}
		if value.IsOnAnyDevice() {
			if err := value.ToLocal(); err != nil {
				return err
			}
		}
	}
	return nil
}
