package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// An update that is split has three programs in place of one, cut at the picture: the
// generator makes it; the verifier says its loss and the loss's gradient by the pixels;
// the generator makes it once more, and takes that gradient on to the adapter. Neither
// model's activations are there while the other works.

// consult makes the picture of a micro-batch and asks the verifier: the gradient of its
// loss by the picture, and behind it a verdict. It is on the generator's device.
func (d *distiller) consult(ctx context.Context, b microBatch) ([]*tensors.Tensor, error) {
	out, err := d.programs.picture.Run(ctx, d.makingInputs(b))
	if err != nil {
		return nil, err
	}
	defer graphs.Release(out...)
	seen, release, err := d.exam.bring(out[0])
	if err != nil {
		return nil, err
	}
	defer release()
	said, err := d.programs.verdict.Run(ctx, seen, d.askingInputs(b))
	if err != nil || d.exam.runtime == d.Runtime {
		return said, err
	}
	defer graphs.Release(said...)
	return ferried(said...)
}

// ferried are copies on the host, which programs of every runtime can read.
func ferried(values ...*tensors.Tensor) (copies []*tensors.Tensor, err error) {
	copies = make([]*tensors.Tensor, len(values))
	for k, t := range values {
		if copies[k], err = t.LocalClone(); err != nil {
			graphs.Release(copies...)
			return copies, fmt.Errorf("bring a picture from one device to another: %w", err)
		}
	}
	return copies, nil
}

// drawPicture is the graph of the first program.
func (d *distiller) drawPicture(in *cursor) []*Node {
	picture, _ := d.depict(d.takeMaking(in))
	return []*Node{picture}
}

// sayVerdict is the graph of the second.
func (d *distiller) sayVerdict(in *cursor) []*Node {
	picture := in.one()
	v := d.verdict(picture, d.takeAsking(in))
	return append([]*Node{Gradient(v.total, picture)[0], v.loss, v.total, v.badness}, v.rates...)
}

// takeVerdict reads what it returns.
func (d *distiller) takeVerdict(in *cursor) (slope *Node, v verdict) {
	slope = in.one()
	v = verdict{loss: in.one(), total: in.one(), badness: in.one()}
	v.rates = in.take(d.metrics.rates())
	return slope, v
}

// splitGradients is gradients for the third: that of the picture's product with the slope
// is the verifier's.
func (d *distiller) splitGradients(in *cursor) (vector, gradient, values *Node) {
	n := d.takeMaking(in)
	slope, v := d.takeVerdict(in)
	picture, way := d.depict(n)
	m, guards := d.guarded(v, n, way)
	return n.params.vector, n.params.gradient(plus(ReduceAllSum(Mul(picture, slope)), guards)), m.inPlace()
}

// outlinedVerdict is what consult returns for pictures of a size, of zeros.
func (d *distiller) outlinedVerdict(height, width int) []*tensors.Tensor {
	scalar := shapes.Make(dtypes.Float32)
	sizes := []shapes.Shape{shapes.Make(dtypes.Float32, d.Batch, height, width, 3), scalar, scalar, scalar}
	for range d.metrics.rates() {
		sizes = append(sizes, shapes.Make(dtypes.Float32, len(d.Questions)))
	}
	var zeros []*tensors.Tensor
	for _, size := range sizes {
		zeros = append(zeros, tensors.FromShape(size))
	}
	return zeros
}
