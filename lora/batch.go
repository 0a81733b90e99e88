package lora

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Shape stands for the adapter's layers and their ranks: what adapters must have in
// common to work side by side in one batch. Adapters of the same Form have the same
// Shape; alphas may differ.
func (a *Adapter) Shape() string {
	return a.digest(func(p part) any { return []any{p.Layer, p.rank} })
}

// Scales returns what each layer's low-rank product is multiplied by at a weight,
// weight · alpha/rank, layers sorted by name: a row of what BatchDelta wants.
func (a *Adapter) Scales(weight float64) []float32 {
	scales := make([]float32, len(a.list()))
	for i, p := range a.list() {
		scales[i] = float32(weight) * float32(p.alpha/float64(p.rank)) // as Delta computes it
	}
	return scales
}

// BatchDelta places adapters in a graph that makes a batch of pictures, each with an
// adapter of its own. All have the receiver's Shape: params[k] are nodes of the k-th
// picture's Params, and scales is float32 [pictures, layers], its k-th row the k-th
// picture's Scales. Where a scale is 0 the picture is the base model's, whatever the
// numbers.
//
// The leading axis of every x and y is then the batch, the pictures in their order;
// where it is not, the Delta panics and names the layer. A network that runs several
// times the batch at once says so by Repeat. It panics if the parameters do not fit.
func (a *Adapter) BatchDelta(params [][]*Node, scales *Node) *Delta {
	parts := a.list()
	want := shapes.Make(dtypes.Float32, len(params), len(parts))
	if len(parts) == 0 || len(params) == 0 || !scales.Shape().Equal(want) {
		exceptions.Panicf("lora: the scales are %s for %d pictures and %d layers", scales.Shape(), len(params), len(parts))
	}
	for picture, list := range params {
		if len(list) != 2*len(parts) {
			exceptions.Panicf("lora: %d parameters given for picture %d, the adapter has %d", len(list), picture, 2*len(parts))
		}
	}
	d := &Delta{layers: make(map[string]placed, len(parts)), pictures: len(params)}
	for i, p := range parts {
		dimsA, dimsB := p.dims()
		placed := placed{Layer: p.Layer, rank: p.rank, pictures: len(params)}
		placed.a = stack(params, 2*i, p.Name, dimsA)
		placed.b = stack(params, 2*i+1, p.Name, dimsB)
		placed.scale = Reshape(Slice(scales, AxisRange(), AxisElem(i)), len(params))
		d.layers[p.Name] = placed
	}
	return d
}

// stack returns the k-th parameter of every picture, [pictures, ...].
func stack(params [][]*Node, k int, name string, dims []int) *Node {
	want, rows := shapes.Make(dtypes.Float32, dims...), make([]*Node, len(params))
	for picture, list := range params {
		if !list[k].Shape().Equal(want) {
			exceptions.Panicf("lora: layer %q of picture %d has %s, wants %s", name, picture, list[k].Shape(), want)
		}
		rows[picture] = list[k]
	}
	return Stack(rows, 0)
}

// Repeat returns the Delta for a network that runs the batch several times at once:
// its leading axis is times·pictures, all pictures in their order and then again, as
// under classifier-free guidance. A Delta whose pictures have all one adapter, which
// does not care, is returned as it is; so is a nil one.
func (d *Delta) Repeat(times int) *Delta {
	if d == nil || d.pictures == 0 || times == 1 {
		return d
	}
	again := func(x *Node) *Node {
		copies := make([]*Node, times)
		for k := range copies {
			copies[k] = x
		}
		return Concatenate(copies, 0)
	}
	out := &Delta{layers: make(map[string]placed, len(d.layers)), pictures: times * d.pictures}
	for name, p := range d.layers {
		p.pictures, p.a, p.b, p.scale = out.pictures, again(p.a), again(p.b), again(p.scale)
		out.layers[name] = p
	}
	return out
}

// check panics unless the leading axis of x is the batch.
func (p placed) check(x *Node) {
	if p.pictures > 0 && (x.Rank() < 2 || x.Shape().Dim(0) != p.pictures) {
		exceptions.Panicf("lora: layer %q gets %s, whose leading axis is not that of %d pictures with adapters of their own",
			p.Name, x.Shape(), p.pictures)
	}
}

// times multiplies axis of x, [pictures, ...], by m: one matrix [n, k] for all, or
// those of the pictures, [pictures, n, k]. The product's axis n comes last.
func (p placed) times(x *Node, axis int, m *Node) *Node {
	if p.pictures == 0 {
		return Dot(x, m).General([]int{axis}, nil, []int{1}, nil)
	}
	return Dot(x, m).General([]int{axis}, []int{0}, []int{2}, []int{0})
}

// convolve applies the layer's first kernel to x: one for all or, picture by picture,
// each one's own.
func (p placed) convolve(x *Node, c Convolution) *Node {
	if p.pictures == 0 {
		return c.Apply(x, p.a)
	}
	rows := make([]*Node, p.pictures)
	for k := range rows {
		kernel := Reshape(Slice(p.a, AxisElem(k)), p.a.Shape().Dimensions[1:]...)
		rows[k] = c.Apply(Slice(x, AxisElem(k)), kernel)
	}
	return Concatenate(rows, 0)
}
