package dualprocess

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/lora"
)

// inputs lists all that the graph of gradients reads, for a micro-batch: what makes the
// picture, and what is asked about it.
func (d *distiller) inputs(b microBatch) []any {
	return []any{d.makingInputs(b), d.askingInputs(b)}
}

// makingInputs lists what the generator and the guards read.
func (d *distiller) makingInputs(b microBatch) []any {
	all := []any{
		d.adapted().inputs(), b.learning.inputs(d.conditions), b.preserved.inputs(d.conditions), float32(d.Drift), float32(d.Preserve.Weight),
	}
	if d.Anchor.Weight > 0 {
		all = append(all, (&adapted{d.anchor, d.Weight}).inputs(), float32(d.Anchor.Weight))
	}
	return all
}

// makingNodes are these in the graph.
type makingNodes struct {
	delta     *lora.Delta
	params    params // of the adapter
	learning  pictureNodes
	preserved pictureNodes // empty if there are none

	driftWeight, preserveWeight *Node       // scalars
	anchor                      *lora.Delta // nil = none
	anchorWeight                *Node       // scalar; nil without an anchor
}

func (d *distiller) takeMaking(in *cursor) (n makingNodes) {
	n.delta, n.params = takeDelta(in, d.adapter)
	n.learning = takePictures(in, d.conditions, d.startSize())
	if d.Preserve.Weight > 0 {
		n.preserved = takePictures(in, d.conditions, 1)
	}
	n.driftWeight, n.preserveWeight = in.one(), in.one()
	if d.Anchor.Weight > 0 {
		n.anchor, _ = takeDelta(in, d.adapter)
		n.anchorWeight = in.one()
	}
	return n
}

// askingInputs lists what the verifier and the loss read.
func (d *distiller) askingInputs(b microBatch) []any {
	all := []any{d.exam.inputs(), d.shares.inputs(b.learning.rows)}
	if d.StepWeights != nil {
		all = append(all, float32(d.StepWeights[d.drawn(b.learning.i)]))
	}
	return all
}

// askingNodes are these in the graph.
type askingNodes struct {
	questions  examNodes
	share      *Node // of the questions, [questions, batch]; nil = all alike
	stepWeight *Node // scalar; nil = 1
}

func (d *distiller) takeAsking(in *cursor) (n askingNodes) {
	n.questions, n.share = d.exam.take(in), d.shares.take(in)
	if d.StepWeights != nil {
		n.stepWeight = in.one()
	}
	return n
}

// gradientForm is what shapes the graph of gradients besides its inputs. Of an update that
// is split, questions shape the verdict alone.
func (d *distiller) gradientForm() *form {
	if d.Split {
		return d.makingForm().add("split", d.metrics)
	}
	return d.askingForm(d.makingForm())
}

// makingForm is what shapes the picture and the guards.
func (d *distiller) makingForm() *form {
	return formOf(d.adapter.Form(), d.Drift > 0, d.Preserve.Weight > 0, d.Unroll, d.toTheEnd(), d.Anchor.Weight > 0)
}

// askingForm adds what shapes the questions and the loss.
func (d *distiller) askingForm(f *form) *form {
	return d.exam.form(f.add(d.shares != nil, d.StepWeights != nil))
}

// gradients builds one micro-batch: latents → picture → overlay → loss → gradient.
// It returns the adapter's numbers, their gradient and the metrics.
func (d *distiller) gradients(in *cursor) (vector, gradient, values *Node) {
	n, asked := d.takeMaking(in), d.takeAsking(in)
	picture, way := d.depict(n)
	v := d.verdict(picture, asked)
	m, guards := d.guarded(v, n, way)
	return n.params.vector, n.params.gradient(plus(v.total, guards)), m.inPlace()
}

// depict makes the picture, and tells on which way.
func (d *distiller) depict(n makingNodes) (picture *Node, way *rollout) {
	way = &rollout{generator: d.Generator, delta: n.delta, toTheEnd: d.toTheEnd(), recompute: d.Unroll > 0}
	return d.Generator.Decode(way.run(n.learning.state, d.unrolled(n.learning.i), n.learning.cond)), way
}

// verdict is what the verifier says about a micro-batch.
type verdict struct {
	loss    *Node   // mean of -log P(answer), scalar
	total   *Node   // the same at the step's weight, scalar
	badness *Node   // number of pixels that are not finite, scalar
	rates   []*Node // of answerRates
}

// verdict asks about a picture.
func (d *distiller) verdict(picture *Node, n askingNodes) (v verdict) {
	a := d.exam.ask(picture, n.questions)
	v = verdict{loss: loss(a.margin, n.share), badness: notFinite(append(a.seen, picture)...), rates: answerRates(a.logP, n.share)}
	if v.total = v.loss; n.stepWeight != nil {
		v.total = Mul(v.total, n.stepWeight)
	}
	return v
}

// guarded measures what the guards want to know, and sums up their terms of the loss;
// nil is none.
func (d *distiller) guarded(v verdict, n makingNodes, way *rollout) (m measured, terms *Node) {
	zero := ScalarZero(v.loss.Graph(), dtypes.Float32)
	m = measured{verdict: v, drift: zero, preserved: zero}
	if d.Drift > 0 {
		m.drift = d.distance(way.seen, nil, n.learning.cond)
		terms = plus(terms, Mul(m.drift, n.driftWeight))
	}
	if k := n.preserved; d.Preserve.Weight > 0 {
		kept := predicted{d.Generator.Predict(n.delta, k.state[0], k.i, k.cond), k.state[0], k.i}
		m.preserved = d.distance([]predicted{kept}, nil, k.cond)
		terms = plus(terms, Mul(m.preserved, n.preserveWeight))
	}
	if n.anchor != nil {
		m.anchored = d.distance(way.seen, n.anchor, n.learning.cond)
		terms = plus(terms, Mul(m.anchored, n.anchorWeight))
	}
	m.total = plus(v.total, terms)
	return m, terms
}

// plus adds; nil is nothing.
func plus(a, b *Node) *Node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return Add(a, b)
}

// distance is the mean squared distance of predictions from those of a reference, nil
// for the base model, at the same latents, steps and prompts.
func (d *distiller) distance(seen []predicted, reference *lora.Delta, cond []*Node) *Node {
	var sum *Node
	for _, p := range seen {
		base := StopGradient(d.Generator.Predict(reference, p.latents, p.i, cond))
		each := ReduceAllMean(Square(Sub(p.prediction, base)))
		sum = plus(sum, each)
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
