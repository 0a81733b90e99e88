package lora

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Delta is an adapter in one graph. A nil Delta is the base model: its methods
// return y. So they do for a layer that the adapter does not have. A layer may
// pass through several times in a graph, as under guidance or checkpointing.
type Delta struct {
	layers   map[string]placed
	pictures int       // that have adapters of their own; 0 = one adapter for all
	recorder *Recorder // nil but in a recording
}

// placed is the adapter of one layer in a graph.
type placed struct {
	Layer
	rank     int
	pictures int   // as in Delta
	a, b     *Node // as in Params; with a leading axis of pictures if there are any
	scale    *Node // scalar float32, or [pictures]: weight · alpha/rank
}

// Delta places the adapter in the graph of params, which are nodes in the order,
// shapes and dtype of Params. weight is a scalar of any float dtype; at 0 the
// result is the base model's. It panics if the parameters do not fit. The Delta of
// a nil adapter is nil, the base model.
func (a *Adapter) Delta(params []*Node, weight *Node) *Delta {
	parts := a.list()
	if len(params) != 2*len(parts) {
		exceptions.Panicf("lora: %d parameters given, the adapter has %d", len(params), 2*len(parts))
	}
	if a == nil {
		return nil
	}
	if !weight.IsScalar() || !weight.DType().IsFloat() {
		exceptions.Panicf("lora: the weight is %s, not a float scalar", weight.Shape())
	}
	weight = ConvertDType(weight, dtypes.Float32)
	d := &Delta{layers: make(map[string]placed, len(parts))}
	for i, p := range parts {
		nodeA, nodeB := params[2*i], params[2*i+1]
		dimsA, dimsB := p.dims()
		wantA, wantB := shapes.Make(dtypes.Float32, dimsA...), shapes.Make(dtypes.Float32, dimsB...)
		if !nodeA.Shape().Equal(wantA) || !nodeB.Shape().Equal(wantB) {
			exceptions.Panicf("lora: layer %q has A %s and B %s, wants %s and %s", p.Name, nodeA.Shape(), nodeB.Shape(), wantA, wantB)
		}
		d.layers[p.Name] = placed{p.Layer, p.rank, 0, nodeA, nodeB, MulScalar(weight, p.alpha/float64(p.rank))}
	}
	return d
}

// Form stands for all of an adapter that shapes a graph with its Delta: layers,
// ranks and alphas, not the numbers. Adapters of the same form can take each other's
// place as inputs of one compiled program.
func (a *Adapter) Form() string {
	return a.digest(func(p part) any { return []any{p.Layer, p.rank, p.alpha} })
}

// digest stands for what is told of every layer.
func (a *Adapter) digest(tell func(p part) any) string {
	sum := sha256.New()
	for _, p := range a.list() {
		fmt.Fprintf(sum, "%#v\n", tell(p)) // a hash never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Linear returns y, the output of the named linear layer for x, with the
// adapter's part added. x is [..., in] and y [..., out], of any float dtype; the
// result has y's. It panics and names the layer if the shapes disagree with each
// other or with the adapter.
func (d *Delta) Linear(name string, x, y *Node) *Node {
	if d == nil {
		return y
	}
	last := x.Rank() - 1
	if last < 0 || y.Rank() != x.Rank() || !slices.Equal(x.Shape().Dimensions[:last], y.Shape().Dimensions[:last]) {
		exceptions.Panicf("lora: layer %q maps %s to %s: not a linear layer", name, x.Shape(), y.Shape())
	}
	p, ok := d.find(Layer{Name: name, In: x.Shape().Dim(-1), Out: y.Shape().Dim(-1)})
	if !ok {
		return y
	}
	p.check(x)
	low := p.lift(p.times(ConvertDType(x, dtypes.Float32), last, p.a)) // [..., rank]
	return p.add(y, p.times(low, last, p.b))                           // [..., out]
}

// Convolution says how a layer convolves pictures. The adapter's convolution has
// a kernel of its own and shares the rest: stride, padding, dilation, layout.
type Convolution struct {
	// Kernel is the height and width of the layer's kernel.
	Kernel [2]int
	// ChannelsFirst says that pictures are [batch, channels, height, width]
	// instead of [batch, height, width, channels].
	ChannelsFirst bool
	// Apply convolves x, a float32 picture, with a dense kernel
	// [out, in, height, width], as the layer does with its own. A layer whose own
	// kernel is in groups is adapted by a dense one all the same.
	Apply func(x, kernel *Node) *Node
}

// Conv returns y, the output of the named convolution for x, with the adapter's
// part added: a convolution to rank channels followed by one of 1×1 to y's. x and
// y are pictures in c's layout, of any float dtype; the result has y's. It panics
// and names the layer if the shapes disagree with each other or with the adapter.
func (d *Delta) Conv(name string, x, y *Node, c Convolution) *Node {
	if d == nil {
		return y
	}
	channels := 3
	if c.ChannelsFirst {
		channels = 1
	}
	if x.Rank() != 4 || y.Rank() != 4 || x.Shape().Dim(0) != y.Shape().Dim(0) || c.Kernel[0] < 1 || c.Kernel[1] < 1 {
		exceptions.Panicf("lora: layer %q maps %s to %s with a kernel of %v: not a convolution", name, x.Shape(), y.Shape(), c.Kernel)
	}
	p, ok := d.find(Layer{Name: name, In: x.Shape().Dim(channels), Out: y.Shape().Dim(channels), Kernel: c.Kernel})
	if !ok {
		return y
	}
	p.check(x)
	low := p.lift(p.convolve(ConvertDType(x, dtypes.Float32), c))
	want := slices.Clone(y.Shape().Dimensions)
	want[channels] = p.rank
	if !slices.Equal(low.Shape().Dimensions, want) {
		exceptions.Panicf("lora: layer %q: Apply gave %s, wants %v", name, low.Shape(), want)
	}
	dims := p.b.Shape().Dimensions
	b := Reshape(p.b, dims[:len(dims)-2]...) // a kernel of 1×1 is a matrix
	out := p.times(low, channels, b)
	if c.ChannelsFirst {
		out = TransposeAllAxes(out, 0, 3, 1, 2) // the product puts its own axis last
	}
	return p.add(y, out)
}

// find returns the adapter of a layer and whether there is one; in a recording
// it takes the layer down instead.
func (d *Delta) find(l Layer) (placed, bool) {
	if d.recorder != nil {
		d.recorder.add(l)
		return placed{}, false
	}
	p, ok := d.layers[l.Name]
	if ok && p.Layer != l {
		exceptions.Panicf("lora: adapter for %s, layer is %s", p.Layer, l)
	}
	return p, ok
}

// lift multiplies by weight · alpha/rank, where the tensors are smallest. An adapter
// of another picture that is too large for float32 does not reach one at 0.
func (p placed) lift(low *Node) *Node {
	if p.pictures == 0 {
		return Mul(low, p.scale)
	}
	dims := make([]int, low.Rank())
	for k := range dims {
		dims[k] = 1
	}
	dims[0] = p.pictures
	scale := BroadcastToDims(Reshape(p.scale, dims...), low.Shape().Dimensions...)
	return Where(Equal(scale, ZerosLike(scale)), ZerosLike(low), Mul(low, scale))
}

// add adds the low-rank product: the one place where it leaves float32.
func (p placed) add(y, product *Node) *Node { return Add(y, ConvertDType(product, y.DType())) }
