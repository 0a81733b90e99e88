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
	params, m, v []*tensors.Tensor
	taken        int // updates that were not skipped
}

// inputs lists what an update wants besides the parameters, which come with the
// gradients: moments, number of the update, learning rate.
func (s *state) inputs(rate float64) []any {
	return []any{s.m, s.v, float32(s.taken + 1), float32(rate)}
}

// stateNodes are inputs in the graph.
type stateNodes struct {
	m, v         []*Node
	number, rate *Node // scalars
}

// takeState reads inputs for so many parameters.
func takeState(in *cursor, params int) stateNodes {
	return stateNodes{in.take(params), in.take(params), in.one(), in.one()}
}

// newState starts an adapter with moments of zero.
func newState(a *lora.Adapter) state {
	params := a.Params()
	return state{params: params, m: zeros(params), v: zeros(params)}
}

// zeros returns tensors of zeros with the shapes of values.
func zeros(values []*tensors.Tensor) []*tensors.Tensor {
	out := make([]*tensors.Tensor, len(values))
	for k, x := range values {
		out[k] = tensors.FromShape(x.Shape())
	}
	return out
}

// descend makes one update from as many micro-batches as the task asks for, takes
// it into the state, and returns its metrics.
func (d *distiller) descend(ctx context.Context, step, keptStep int, rate float64) ([]float32, error) {
	if d.Accumulate == 1 {
		b, err := d.nextBatch(ctx, step, keptStep)
		if err != nil {
			return nil, err
		}
		defer b.release()
		return d.apply(d.programs.update.Run(ctx, d.inputs(b), d.state.inputs(rate)))
	}
	sums, err := d.accumulated(ctx, step, keptStep)
	if err != nil {
		return nil, err
	}
	defer graphs.Release(sums...)
	return d.apply(d.programs.finish.Run(ctx, d.state.params, sums, d.state.inputs(rate)))
}

// accumulated runs the micro-batches and returns the mean gradients and, behind
// them, the mean metrics.
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
	return d.programs.accumulate.Run(ctx, sums, d.inputs(b))
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
	n := len(results) / 3
	d.state.release()
	d.state.params, d.state.m, d.state.v = results[:n:n], results[n:2*n:2*n], results[2*n:]
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
	graphs.Release(d.anchor...)
	d.anchor = now.Params()
	return nil
}

// fused is the graph of a whole update of a single micro-batch.
func (d *distiller) fused(in *cursor) []*Node {
	params, grads, values := d.gradients(in)
	return d.optimize(in, params, grads, values)
}

// accumulate is the graph of one of several micro-batches: the running sums of
// gradients and metrics in, with this batch's share of the mean added out.
func (d *distiller) accumulate(in *cursor) []*Node {
	sums := in.take(paramCount(d.adapter) + 1)
	_, grads, values := d.gradients(in)
	share := 1 / float64(d.Accumulate)
	out := make([]*Node, len(sums))
	for k, x := range append(grads, values) {
		out[k] = Add(sums[k], MulScalar(x, share))
	}
	return out
}

// finish is the graph of the update after several micro-batches.
func (d *distiller) finish(in *cursor) []*Node {
	n := paramCount(d.adapter)
	params, grads, values := in.take(n), in.take(n), in.one()
	return d.optimize(in, params, grads, values)
}

// optimize clips the gradient and takes the optimiser's step, unless anything is
// not finite: then everything stays as it was. It reads the state's inputs and
// returns parameters, both moments, and the finished metrics.
func (d *distiller) optimize(in *cursor, params, grads []*Node, values *Node) []*Node {
	s := takeState(in, len(params))
	clipped, norm := optim.ClipGlobalNorm(grads, d.Clip)
	newParams, newM, newV := d.optimizer.Update(params, clipped, s.m, s.v, s.number, s.rate)

	bad := Add(notFinite(append(newParams, norm)...), d.metrics.faults(values))
	good := Equal(bad, ScalarZero(bad.Graph(), bad.DType()))
	out := keepUnless(good, newParams, params)
	out = append(out, keepUnless(good, newM, s.m)...)
	out = append(out, keepUnless(good, newV, s.v)...)
	return append(out, d.metrics.finished(values, norm, ConvertDType(good, dtypes.Float32)))
}

// keepUnless returns the new values where good holds, and the old ones otherwise.
func keepUnless(good *Node, values, old []*Node) []*Node {
	kept := make([]*Node, len(values))
	for k := range values {
		kept[k] = Where(good, values[k], old[k])
	}
	return kept
}

func (s *state) release() {
	graphs.Release(s.params...)
	graphs.Release(s.m...)
	graphs.Release(s.v...)
}
