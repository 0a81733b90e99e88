package dualprocess

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/cost"
	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Needs are what Distill would take for a task: bytes of the device's memory, and
// floating-point operations. Weights, adapter and moments are exact; what programs have
// beside them is an estimate of what XLA makes of them, within about a fifth.
type Needs struct {
	Memory  int64  // of the device, in bytes; 0 = unknown
	Weights []Part // of all models that are open
	Adapter int64  // bytes of its numbers
	Moments int64  // bytes of AdamW's, both

	Phases []PhaseNeeds // Encoding, Denoising and Updating, in this order

	// Kept and Recomputed are the bytes that an update works in, if both models keep
	// their activations for the backward pass, and if both compute them again.
	Kept, Recomputed int64

	// Operations of an update: of the steps without gradient, in the mean, and of the
	// one with it. A multiplication and an addition are two.
	Operations float64

	// Switches are settings that lower the peak, which may be combined.
	Switches []Switch

	// Verifier has Memory, Weights and Phases of the verifier's device, where it has one of its
	// own (Task.Split); nil else.
	Verifier *Needs
}

// Part is a part of a model.
type Part struct {
	Name  string // of its place in the runtime's store, such as "generator/transformer"
	Bytes int64
}

// PhaseNeeds are what a phase takes.
type PhaseNeeds struct {
	Phase      Phase
	Resident   int64   // bytes that lie in memory all the time: weights (where they are offloaded, the program's), conditions, adapter, moments
	Working    int64   // bytes of results and scratch space of the phase's largest program
	Operations float64 // of one run of it
}

// Peak is the most bytes at once.
func (n PhaseNeeds) Peak() int64 { return n.Resident + n.Working }

// Switch is a setting that takes less memory.
type Switch struct {
	Setting string
	Peak    int64 // bytes at once with it
}

// Peak is the most bytes at once, in any phase.
func (n *Needs) Peak() int64 {
	most := int64(0)
	for _, p := range n.Phases {
		most = max(most, p.Peak())
	}
	return most
}

// Fits says whether the device has the memory, as far as is known.
func (n *Needs) Fits() bool {
	return (n.Memory == 0 || n.Peak() <= n.Memory) && (n.Verifier == nil || n.Verifier.Fits())
}

// Plan says what Distill would take for a task whose models were opened with a runtime of
// backends.Sketch: from the models' configurations and the heads of their files alone,
// without the device. Nothing is computed, and Checkpoint, Snapshots, Progress and Status
// count for nothing. Errors are those of Distill before its first update.
func Plan(ctx context.Context, t Task) (needs *Needs, err error) {
	defer named(&err)
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	if t, err = t.resolved(); err != nil {
		return nil, err
	}
	both := []*backends.Runtime{t.Runtime, runtimeOf(t.Verifier, t.Runtime)}
	for _, rt := range both {
		if !rt.Sketched() {
			return nil, invalid("Runtime", "is none of backends.Sketch")
		}
	}
	done, err := keep(both...)
	if err != nil {
		return nil, err
	}
	defer done()
	p := &planner{distiller: &distiller{Task: t}}
	defer p.close()
	if err := p.plan(ctx); err != nil {
		return nil, err
	}
	return &p.needs, nil
}

// planner is a distillation that is thought through, and not done.
type planner struct {
	*distiller
	outline plan
	needs   Needs
}

func (p *planner) plan(ctx context.Context) (err error) {
	p.needs.Memory, p.needs.Weights = p.Runtime.Memory(), parts(p.Runtime)
	var largest cost.Cost
	p.outline, err = p.ready(graphs.Observed(ctx, func(e graphs.Event) {
		if e.Cost != nil && taken(p.Runtime, *e.Cost) > taken(p.Runtime, largest) {
			largest = *e.Cost
		}
	}))
	if err != nil {
		return err
	}
	p.add(Encoding, largest)
	if apart := p.exam.runtime; apart != p.Runtime {
		p.needs.Verifier = &Needs{Memory: apart.Memory(), Weights: parts(apart)}
	}
	if err = freeEncoders(p.Generator, p.Verifier, p.Judge.Verifier); err != nil {
		return err
	}
	vector := p.adapter.Vector()
	p.state = state{vector: vector, m: vector, v: vector}
	if p.Anchor.Weight > 0 {
		p.anchor = vector
	}
	if p.Accumulate > 1 {
		p.zeroSums = []*tensors.Tensor{vector, tensors.FromShape(p.metrics.shape())}
	}
	p.needs.Adapter = vector.Shape().ByteSize()
	p.needs.Moments = 2 * p.needs.Adapter
	return p.measure(ctx)
}

// measure counts the programs of an update.
func (p *planner) measure(ctx context.Context) error {
	denoising, err := p.measureDenoising(ctx, &p.outline)
	if err != nil {
		return err
	}
	updating, err := p.measureGradients(ctx, &p.outline, p.Runtime)
	if err != nil {
		return err
	}
	p.add(Denoising, denoising)
	p.add(Updating, updating)
	if v := p.needs.Verifier; v != nil {
		asked, err := p.measureGradients(ctx, &p.outline, p.exam.runtime)
		if err != nil {
			return err
		}
		v.Phases = []PhaseNeeds{{Updating, weightsOf(p.exam.runtime, asked), asked.Bytes(), asked.Operations}}
		updating.Operations += asked.Operations
	}
	p.needs.Operations = float64(p.Accumulate) * (p.stepsBefore()*denoising.Operations + updating.Operations)
	return p.suppose(ctx)
}

// add adds a phase, in the memory that there is by now.
func (p *planner) add(phase Phase, c cost.Cost) {
	p.needs.Phases = append(p.needs.Phases, PhaseNeeds{phase, p.besides() + weightsOf(p.Runtime, c), c.Bytes(), c.Operations})
}

// besides are the bytes that lie on the device all the time besides the weights.
func (p *planner) besides() int64 {
	vectors := p.needs.Adapter + p.needs.Moments
	if p.Accumulate > 1 {
		vectors += p.needs.Adapter // the sum of gradients
	}
	if p.Anchor.Weight > 0 {
		vectors += p.needs.Adapter
	}
	for _, in := range p.conditions.prompts {
		vectors += bytesOf(in)
	}
	return vectors
}

// weightsOf are the bytes of the weights that lie on a device while a program runs.
func weightsOf(rt *backends.Runtime, c cost.Cost) int64 {
	if rt.Offloads() {
		return c.Weights
	}
	return bytesOfParts(parts(rt))
}

// stepsBefore is the mean number of steps without gradient.
func (t *Task) stepsBefore() float64 {
	if t.Timesteps == Renoise {
		return float64(t.Generator.Steps())
	}
	return float64(t.FirstStep+t.EndStep-1) / 2
}

// parts lists the weights in a runtime's store.
func parts(rt *backends.Runtime) (all []Part) {
	bytes := map[string]int64{}
	for v := range rt.Store.IterVariables() {
		folder, _, found := strings.Cut(strings.Trim(v.Path(), "/"), "/")
		if inner, _, deeper := strings.Cut(strings.TrimPrefix(v.Path(), "/"+folder+"/"), "/"); deeper {
			folder += "/" + inner
		}
		if found { // else it is no model's
			bytes[folder] += int64(v.Shape().ByteSize())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(bytes)) {
		all = append(all, Part{name, bytes[name]})
	}
	return all
}

func bytesOfParts(all []Part) (total int64) {
	for _, part := range all {
		total += part.Bytes
	}
	return total
}

func bytesOf(values []*tensors.Tensor) (total int64) {
	for _, x := range values {
		total += int64(x.Shape().ByteSize())
	}
	return total
}
