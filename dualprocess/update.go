package dualprocess

import (
	"context"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/optim"
	"github.com/dualprocess/dualprocess-go/lora"
)

// state is all that training changes, on the device: an adapter's numbers and
// AdamW's moments.
type state struct {
	vector, m, v *tensors.Tensor // [Size] each
	taken        int             // updates that were not skipped
}

// inputs lists what an update wants besides the vector, which comes with the
// gradient: moments, number of the update, learning rate.
func (s *state) inputs(rate float64) []any {
	return []any{s.m, s.v, float32(s.taken + 1), float32(rate)}
}

// stateNodes are inputs in the graph.
type stateNodes struct {
	m, v         *Node
	number, rate *Node // scalars
}

// takeState reads inputs.
func takeState(in *cursor) stateNodes {
	return stateNodes{in.one(), in.one(), in.one(), in.one()}
}

// newState starts an adapter with moments of zero.
func newState(a *lora.Adapter) state {
	vector := a.Vector()
	return state{vector: vector, m: zeros(vector), v: zeros(vector)}
}

// zeros returns a tensor of zeros with the shape of another.
func zeros(like *tensors.Tensor) *tensors.Tensor { return tensors.FromShape(like.Shape()) }

// descend makes one update from as many micro-batches as the task asks for, takes
// it into the state, and returns its metrics.
func (d *distiller) descend(ctx context.Context, step, keptStep int, rate float64) ([]float32, error) {
	if d.Accumulate == 1 {
		b, err := d.nextBatch(ctx, step, keptStep)
		if err != nil {
			return nil, err
		}
		defer b.release()
		in, release, err := d.asked(ctx, b)
		if err != nil {
			return nil, err
		}
		defer release()
		return d.apply(d.programs.update.Run(ctx, in, d.state.inputs(rate)))
	}
	sums, err := d.accumulated(ctx, step, keptStep)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(sums...)
	return d.apply(d.programs.finish.Run(ctx, d.state.vector, sums, d.state.inputs(rate)))
}

// accumulated runs the micro-batches and returns the mean gradient and, behind it,
// the mean metrics.
func (d *distiller) accumulated(ctx context.Context, step, keptStep int) ([]*tensors.Tensor, error) {
	sums := d.zeroSums
	for k := range d.Accumulate {
		next, err := d.addBatch(ctx, sums, step, keptStep)
		if k > 0 {
			graphs.Release(sums...)
		}
		if err != nil {
			return nil, err
		}
		sums = next
	}
	return sums, nil
}

// addBatch runs one micro-batch and returns the sums with its share added.
func (d *distiller) addBatch(ctx context.Context, sums []*tensors.Tensor, step, keptStep int) ([]*tensors.Tensor, error) {
	b, err := d.nextBatch(ctx, step, keptStep)
	if err != nil {
		return nil, err
	}
	defer b.release()
	in, release, err := d.asked(ctx, b)
	if err != nil {
		return nil, err
	}
	defer release()
	return d.programs.accumulate.Run(ctx, sums, in)
}

// asked lists what the program with the adapter's gradient reads. Where the update is
// split, the verifier has said its part by then.
func (d *distiller) asked(ctx context.Context, b microBatch) (in []any, release func(), err error) {
	if !d.Split {
		return d.inputs(b), func() {}, nil
	}
	said, err := d.consult(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	return []any{d.makingInputs(b), said}, func() { graphs.Release(said...) }, nil
}

// apply replaces the state by an update's results, unless there is an error, and
// returns the metrics.
func (d *distiller) apply(out []*tensors.Tensor, err error) ([]float32, error) {
	if err != nil {
		return nil, err
	}
	results, values, err := splitMetrics(out)
	if err != nil {
		return nil, err
	}
	d.state.release()
	d.state.vector, d.state.m, d.state.v = results[0], results[1], results[2]
	return values, nil
}

// moveAnchor makes the anchor the adapter as it is now, where that is due.
func (d *distiller) moveAnchor() error {
	if d.Anchor.Weight == 0 || d.made%d.Anchor.Every != 0 {
		return nil
	}
	now, err := d.snapshot()
	if err != nil {
		return err
	}
	graphs.Release(d.anchor)
	d.anchor = now.Vector()
	return nil
}

// fused is the graph of a whole update of a single micro-batch.
func (d *distiller) fused(in *cursor) []*Node {
	vector, gradient, values := d.backward(in)
	return d.optimize(in, vector, gradient, values)
}

// backward builds one micro-batch, whole or from the verdict on.
func (d *distiller) backward(in *cursor) (vector, gradient, values *Node) {
	if d.Split {
		return d.splitGradients(in)
	}
	return d.gradients(in)
}

// accumulate is the graph of one of several micro-batches: the running sums of
// gradient and metrics in, with this batch's share of the mean added out.
func (d *distiller) accumulate(in *cursor) []*Node {
	sums := in.take(2)
	_, gradient, values := d.backward(in)
	share := 1 / float64(d.Accumulate)
	return []*Node{Add(sums[0], MulScalar(gradient, share)), Add(sums[1], MulScalar(values, share))}
}

// finish is the graph of the update after several micro-batches.
func (d *distiller) finish(in *cursor) []*Node {
	return d.optimize(in, in.one(), in.one(), in.one())
}

// optimize clips the gradient and takes the optimiser's step, unless anything is
// not finite: then everything stays as it was. It reads the state's inputs and
// returns the vector, both moments, and the finished metrics.
func (d *distiller) optimize(in *cursor, vector, gradient, values *Node) []*Node {
	s, one := takeState(in), func(x *Node) []*Node { return []*Node{x} }
	clipped, norm := optim.ClipGlobalNorm(one(gradient), d.Clip)
	next, m, v := d.optimizer.Update(one(vector), clipped, one(s.m), one(s.v), s.number, s.rate)

	bad := Add(notFinite(next[0], norm), d.metrics.faults(values))
	good := Equal(bad, ScalarZero(bad.Graph(), bad.DType()))
	return []*Node{
		Where(good, next[0], vector), Where(good, m[0], s.m), Where(good, v[0], s.v),
		d.metrics.finished(values, norm, ConvertDType(good, dtypes.Float32)),
	}
}

func (s *state) release() { graphs.Release(s.vector, s.m, s.v) }
