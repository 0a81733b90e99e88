package dualprocess

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/lora"
)

// inputs lists all that the graph of gradients reads, for a micro-batch.
func (d *distiller) inputs(b microBatch) []any {
	return []any{
		d.adapted().inputs(), b.learning.inputs(d.conditions), b.preserved.inputs(d.conditions), d.exam.inputs(),
		d.shares.inputs(b.learning.rows), float32(d.Drift), float32(d.Preserve.Weight),
	}
}

// lossNodes are inputs in the graph.
type lossNodes struct {
	delta     *lora.Delta
	params    []*Node // of the adapter
	learning  pictureNodes
	preserved pictureNodes // empty if there are none
	questions examNodes
	share     *Node // of the questions, [questions, batch]; nil = all alike

	driftWeight, preserveWeight *Node // scalars
}

// take reads inputs.
func (d *distiller) take(in *cursor) (n lossNodes) {
	n.delta, n.params = takeDelta(in, d.adapter)
	n.learning = takePictures(in, d.conditions)
	if d.Preserve.Weight > 0 {
		n.preserved = takePictures(in, d.conditions)
	}
	n.questions = d.exam.take(in)
	n.share = d.shares.take(in)
	n.driftWeight, n.preserveWeight = in.one(), in.one()
	return n
}

// gradientForm is what shapes the graph of gradients besides its inputs.
func (d *distiller) gradientForm() *form {
	f := formOf(d.adapter.Form(), d.Drift > 0, d.Preserve.Weight > 0, d.shares != nil)
	return d.exam.form(f)
}

// gradients builds one micro-batch: latents → picture → overlay → loss → gradient.
// It returns the gradient of every parameter of the adapter and the metrics.
func (d *distiller) gradients(in *cursor) (params, grads []*Node, values *Node) {
	n := d.take(in)
	x := n.learning
	prediction := d.Generator.Predict(n.delta, x.latents, x.i, x.cond)
	picture := d.Generator.Decode(d.Generator.Clean(x.latents, prediction, x.i))
	logP, seen := d.exam.logP(picture, n.questions)

	zero := ScalarZero(logP.Graph(), dtypes.Float32)
	m := measured{loss: loss(logP, n.share), drift: zero, preserved: zero, seen: append(seen, picture), rates: answerRates(logP, n.share)}
	m.total = m.loss
	if d.Drift > 0 {
		m.drift = d.distance(prediction, x)
		m.total = Add(m.total, Mul(m.drift, n.driftWeight))
	}
	if k := n.preserved; d.Preserve.Weight > 0 {
		m.preserved = d.distance(d.Generator.Predict(n.delta, k.latents, k.i, k.cond), k)
		m.total = Add(m.total, Mul(m.preserved, n.preserveWeight))
	}
	return n.params, Gradient(m.total, n.params...), m.inPlace()
}

// distance is the mean squared distance of a prediction from the base model's at
// the same latents, step and prompt.
func (d *distiller) distance(prediction *Node, p pictureNodes) *Node {
	base := StopGradient(d.Generator.Predict(nil, p.latents, p.i, p.cond))
	return ReduceAllMean(Square(Sub(prediction, base)))
}
