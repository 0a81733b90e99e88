package dualprocess

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/optim"
)

// Places of the measurements that an update brings back to the host, in one
// float32 vector.
const (
	metricLoss       = iota // mean of -log P(answer)
	metricDrift             // mean squared distance from the base model
	metricPreserved         // the same on the preserved prompts
	metricBadPicture        // > 0: a pixel is not finite
	metricBadLoss           // > 0: the loss with the guards' terms is not
	metricP                 // P(answer) of each question from here on
)

// batchNodes are a micro-batch in a graph: pictures at one step of the generator,
// and those of preserved prompts at another.
type batchNodes struct {
	latents, i *Node // [batch, ...], int32 scalar
	cond       []*Node
}

// gradients builds one micro-batch: prompt → latents → picture → overlay → loss →
// gradient. It returns the gradient of every parameter of the adapter and the
// vector of measurements.
func (d *distiller) gradients(in *cursor) (params, grads []*Node, metrics *Node) {
	delta, params := takeDelta(in, d.adapter)
	batch, kept := d.takeBatches(in)
	questions := d.exam.take(in)

	prediction := d.Generator.Predict(delta, batch.latents, batch.i, batch.cond)
	picture := d.Generator.Decode(d.Generator.Clean(batch.latents, prediction, batch.i))
	logP, seen := d.exam.logP(picture, questions)
	loss := Neg(ReduceAllMean(logP))

	total, drift, preserved := loss, ScalarZero(loss.Graph(), dtypes.Float32), ScalarZero(loss.Graph(), dtypes.Float32)
	if d.Drift > 0 {
		drift = d.distance(prediction, batch)
		total = Add(total, MulScalar(drift, d.Drift))
	}
	if d.Preserve.Weight > 0 {
		preserved = d.distance(d.Generator.Predict(delta, kept.latents, kept.i, kept.cond), kept)
		total = Add(total, MulScalar(preserved, d.Preserve.Weight))
	}
	grads = Gradient(total, params...)
	metrics = Concatenate([]*Node{
		vector(loss), vector(drift), vector(preserved),
		vector(notFinite(append(seen, picture)...)), vector(notFinite(total)),
		ReduceMean(Exp(logP), 1),
	}, 0)
	return params, grads, metrics
}

// takeBatches reads the micro-batch and, if there are preserved prompts, that of
// theirs. Both pick their prompts from the same tables.
func (d *distiller) takeBatches(in *cursor) (batch, kept batchNodes) {
	tables := in.take(len(d.conditions.tables))
	batch = batchNodes{latents: in.one(), i: in.one(), cond: pick(tables, in.one())}
	if d.Preserve.Weight > 0 {
		kept = batchNodes{latents: in.one(), i: in.one(), cond: pick(tables, in.one())}
	}
	return batch, kept
}

// distance is the mean squared distance of a prediction from the base model's at
// the same latents, step and prompt.
func (d *distiller) distance(prediction *Node, b batchNodes) *Node {
	base := StopGradient(d.Generator.Predict(nil, b.latents, b.i, b.cond))
	return ReduceAllMean(Square(Sub(prediction, base)))
}

// accumulate is the graph of one of several micro-batches: the running sums of
// gradients and measurements in, with this batch's share of the mean added out.
func (d *distiller) accumulate(in *cursor) []*Node {
	sums := in.take(paramCount(d.adapter) + 1)
	_, grads, metrics := d.gradients(in)
	share := 1 / float64(d.Accumulate)
	out := make([]*Node, len(sums))
	for k, x := range append(grads, metrics) {
		out[k] = Add(sums[k], MulScalar(x, share))
	}
	return out
}

// finish is the graph of the update after several micro-batches.
func (d *distiller) finish(in *cursor) []*Node {
	n := paramCount(d.adapter)
	params, grads, metrics := in.take(n), in.take(n), in.one()
	return d.apply(in, params, grads, metrics)
}

// fused is the graph of a whole update of a single batch.
func (d *distiller) fused(in *cursor) []*Node {
	params, grads, metrics := d.gradients(in)
	return d.apply(in, params, grads, metrics)
}

// apply clips the gradient and takes the optimiser's step, unless anything is not
// finite: then everything stays as it was. It reads the moments, the number of
// this step and the learning rate, and returns parameters, both moments, and the
// measurements with the gradient's norm and 1 for a step taken behind them.
func (d *distiller) apply(in *cursor, params, grads []*Node, metrics *Node) []*Node {
	m, v := in.take(len(params)), in.take(len(params))
	number, rate := in.one(), in.one()

	clipped, norm := optim.ClipGlobalNorm(grads, d.Clip)
	newParams, newM, newV := d.optimizer.Update(params, clipped, m, v, number, rate)

	bad := Add(notFinite(append(newParams, norm)...), ReduceAllSum(Slice(metrics, AxisRange(metricBadPicture, metricP))))
	good := Equal(bad, ScalarZero(bad.Graph(), bad.DType()))
	out := keepUnless(good, newParams, params)
	out = append(out, keepUnless(good, newM, m)...)
	out = append(out, keepUnless(good, newV, v)...)
	taken := ConvertDType(good, dtypes.Float32)
	return append(out, Concatenate([]*Node{metrics, vector(norm), vector(taken)}, 0))
}

// keepUnless returns the new values where good holds, and the old ones otherwise.
func keepUnless(good *Node, values, old []*Node) []*Node {
	kept := make([]*Node, len(values))
	for k := range values {
		kept[k] = Where(good, values[k], old[k])
	}
	return kept
}

// notFinite counts the values that are NaN or infinite, as a float32 scalar.
func notFinite(values ...*Node) *Node {
	var count *Node
	for _, x := range values {
		n := ReduceAllSum(ConvertDType(LogicalNot(IsFinite(x)), dtypes.Float32))
		if count == nil {
			count = n
		} else {
			count = Add(count, n)
		}
	}
	return count
}

// vector makes a scalar a vector of one.
func vector(x *Node) *Node { return Reshape(x, 1) }
