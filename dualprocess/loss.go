package dualprocess

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/lora"
)

// inputs lists all that the graph of gradients reads, for a micro-batch.
func (d *distiller) inputs(b microBatch) []any {
	all := []any{
		d.adapted().inputs(), b.learning.inputs(d.conditions), b.preserved.inputs(d.conditions), d.exam.inputs(),
		d.shares.inputs(b.learning.rows), float32(d.Drift), float32(d.Preserve.Weight),
	}
	if d.StepWeights != nil {
		all = append(all, float32(d.StepWeights[d.drawn(b.learning.i)]))
	}
	if d.Anchor.Weight > 0 {
		all = append(all, (&adapted{d.anchor, d.Weight}).inputs(), float32(d.Anchor.Weight))
	}
	return all
}

// lossNodes are inputs in the graph.
type lossNodes struct {
	delta     *lora.Delta
	params    params // of the adapter
	learning  pictureNodes
	preserved pictureNodes // empty if there are none
	questions examNodes
	share     *Node // of the questions, [questions, batch]; nil = all alike

	driftWeight, preserveWeight *Node       // scalars
	stepWeight                  *Node       // scalar; nil = 1
	anchor                      *lora.Delta // nil = none
	anchorWeight                *Node       // scalar; nil without an anchor
}

// take reads inputs.
func (d *distiller) take(in *cursor) (n lossNodes) {
	n.delta, n.params = takeDelta(in, d.adapter)
	n.learning = takePictures(in, d.conditions, d.startSize())
	if d.Preserve.Weight > 0 {
		n.preserved = takePictures(in, d.conditions, 1)
	}
	n.questions = d.exam.take(in)
	n.share = d.shares.take(in)
	n.driftWeight, n.preserveWeight = in.one(), in.one()
	if d.StepWeights != nil {
		n.stepWeight = in.one()
	}
	if d.Anchor.Weight > 0 {
		n.anchor, _ = takeDelta(in, d.adapter)
		n.anchorWeight = in.one()
	}
	return n
}

// gradientForm is what shapes the graph of gradients besides its inputs.
func (d *distiller) gradientForm() *form {
	f := formOf(d.adapter.Form(), d.Drift > 0, d.Preserve.Weight > 0, d.shares != nil)
	f.add(d.Unroll, d.toTheEnd(), d.StepWeights != nil, d.Anchor.Weight > 0)
	return d.exam.form(f)
}

// gradients builds one micro-batch: latents → picture → overlay → loss → gradient.
// It returns the adapter's numbers, their gradient and the metrics.
func (d *distiller) gradients(in *cursor) (vector, gradient, values *Node) {
	n := d.take(in)
	x := n.learning
	way := &rollout{generator: d.Generator, delta: n.delta, toTheEnd: d.toTheEnd(), recompute: d.Unroll > 0}
	picture := d.Generator.Decode(way.run(x.state, d.unrolled(x.i), x.cond))
	a := d.exam.ask(picture, n.questions)

	zero := ScalarZero(picture.Graph(), dtypes.Float32)
	m := measured{loss: loss(a.margin, n.share), drift: zero, preserved: zero, seen: append(a.seen, picture), rates: answerRates(a.logP, n.share)}
	if m.total = m.loss; n.stepWeight != nil {
		m.total = Mul(m.total, n.stepWeight)
	}
	if d.Drift > 0 {
		m.drift = d.distance(way.seen, nil, x.cond)
		m.total = Add(m.total, Mul(m.drift, n.driftWeight))
	}
	if k := n.preserved; d.Preserve.Weight > 0 {
		kept := predicted{d.Generator.Predict(n.delta, k.state[0], k.i, k.cond), k.state[0], k.i}
		m.preserved = d.distance([]predicted{kept}, nil, k.cond)
		m.total = Add(m.total, Mul(m.preserved, n.preserveWeight))
	}
	if n.anchor != nil {
		m.anchored = d.distance(way.seen, n.anchor, x.cond)
		m.total = Add(m.total, Mul(m.anchored, n.anchorWeight))
	}
	return n.params.vector, n.params.gradient(m.total), m.inPlace()
}

// distance is the mean squared distance of predictions from those of a reference, nil
// for the base model, at the same latents, steps and prompts.
func (d *distiller) distance(seen []predicted, reference *lora.Delta, cond []*Node) *Node {
	var sum *Node
	for _, p := range seen {
		base := StopGradient(d.Generator.Predict(reference, p.latents, p.i, cond))
		each := ReduceAllMean(Square(Sub(p.prediction, base)))
		if sum == nil {
			sum = each
		} else {
			sum = Add(sum, each)
		}
	}
	if len(seen) > 1 {
		sum = DivScalar(sum, float64(len(seen)))
	}
	return sum
}

// unrolled are the steps that the gradient goes through, from the drawn one on.
func (d *distiller) unrolled(i *Node) []*Node {
	steps := []*Node{i}
	for k := 1; k < d.Unroll; k++ {
		steps = append(steps, AddScalar(i, k))
	}
	return steps
}
