package autoencoder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// newChannelNorm reads an RMS norm over channels with an offset.
func newChannelNorm(c weights.Cursor, channels int) *nn.RMSNorm {
	const epsilon = 1e-5
	return nn.NewRMSNorm(c, channels, epsilon, nn.Bias)
}

// dcResidual is x + norm(conv2(silu(conv1(x)))).
type dcResidual struct {
	name         string
	conv1, conv2 *nn.Conv2D
	norm         *nn.RMSNorm
}

func newDCResidual(c weights.Cursor, channels int) *dcResidual {
	kernel := nn.Kernel{Size: 3, Padding: 1}
	return &dcResidual{
		name:  c.Path(),
		conv1: nn.NewConv2D(c.In("conv1"), channels, channels, kernel, nn.Bias),
		conv2: nn.NewConv2D(c.In("conv2"), channels, channels, kernel, nn.NoBias),
		norm:  newChannelNorm(c.In("norm"), channels),
	}
}

func (r *dcResidual) apply(f nn.Pass, x *Node) *Node {
	x = f.Enter(x)
	h := r.conv2.Apply(f, nn.SiLU(r.conv1.Apply(f, x)))
	return f.Record(r.name, f.Leave(Add(x, r.norm.Apply(f, h))))
}

// dcAttention is linear attention over all places of a picture and then a gated
// convolution (EfficientViTBlock in diffusers). Queries, keys and values come at
// several scales: as they are, and gathered by wider kernels.
type dcAttention struct {
	name         string
	q, k, v, out *nn.Linear
	scales       []*dcScale
	norm         *nn.RMSNorm
	gated        *nn.GatedConv
	gatedNorm    *nn.RMSNorm
	headWidth    int
}

// dcScale gathers queries, keys and values from the neighbourhood.
type dcScale struct {
	gather *nn.DepthwiseConv2D
	mix    *model.Variable // [3·inner, width of a head, 1, 1]: groups of that width
}

func newDCAttention(c weights.Cursor, channels, headWidth int, kernels []int) *dcAttention {
	const ratio = 4 // inner channels of the gated convolution over the outer ones
	attn, inner := c.In("attn"), channels/headWidth*headWidth
	a := &dcAttention{
		name:      c.Path(),
		headWidth: headWidth,
		q:         nn.NewLinear(attn.In("to_q"), channels, inner, nn.NoBias),
		k:         nn.NewLinear(attn.In("to_k"), channels, inner, nn.NoBias),
		v:         nn.NewLinear(attn.In("to_v"), channels, inner, nn.NoBias),
		out:       nn.NewLinear(attn.In("to_out"), inner*(1+len(kernels)), channels, nn.NoBias),
		norm:      newChannelNorm(attn.In("norm_out"), channels),
		gated:     nn.NewGatedConv(c.In("conv_out"), channels, ratio*channels),
		gatedNorm: newChannelNorm(c.In("conv_out", "norm"), channels),
	}
	for i, kernel := range kernels {
		at := attn.In("to_qkv_multiscale", i)
		a.scales = append(a.scales, &dcScale{
			gather: nn.NewDepthwiseConv2D(at.In("proj_in"), 3*inner, kernel, nn.NoBias),
			mix:    at.In("proj_out").Variable("weight", 3*inner, headWidth, 1, 1),
		})
	}
	return a
}

func (a *dcAttention) apply(f nn.Pass, x *Node) *Node {
	x = f.Enter(x)
	x = f.Record(a.name+".attn", Add(x, a.norm.Apply(f, a.attend(f, x))))
	return f.Record(a.name, f.Leave(Add(x, a.gatedNorm.Apply(f, a.gated.Apply(f, x)))))
}

// attend maps x [B, H, W, C] to the same shape.
func (a *dcAttention) attend(f nn.Pass, x *Node) *Node {
	qkv := Concatenate([]*Node{a.q.Apply(f, x), a.k.Apply(f, x), a.v.Apply(f, x)}, -1)
	all := []*Node{qkv}
	for _, s := range a.scales {
		all = append(all, s.apply(f, qkv, a.headWidth))
	}
	h := Concatenate(all, -1)
	d := h.Shape().Dimensions
	// A head takes its query, key and value from 3 neighbouring stretches, whatever
	// they were made as: the first heads so consist of queries alone.
	heads := d[3] / (3 * a.headWidth)
	h = Reshape(h, d[0], d[1]*d[2], heads, 3, a.headWidth)
	part := func(i int) *Node {
		return Squeeze(Slice(h, AxisRange(), AxisRange(), AxisRange(), AxisElem(i), AxisRange()), 3)
	}
	attention := nn.LinearAttention
	if d[1]*d[2] <= a.headWidth {
		attention = nn.LinearAttentionBySimilarity
	}
	return a.out.Apply(f, Reshape(attention(part(0), part(1), part(2)), d[0], d[1], d[2], -1))
}

// apply keeps the shape of qkv [B, H, W, 3·inner].
func (s *dcScale) apply(f nn.Pass, qkv *Node, width int) *Node {
	x := s.gather.Apply(f, qkv)
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], d[2], d[3]/width, width)
	mix := Reshape(ConvertDType(s.mix.NodeValue(x), x.DType()), d[3]/width, width, width) // group, out, in
	return Reshape(Einsum("bhwgi,goi->bhwgo", x, mix), d...)
}

// dcResize halves or doubles a picture: a convolution, and beside it a shortcut
// without parameters.
type dcResize struct {
	name string
	conv *nn.Conv2D
	kind string
	out  int // channels
}

// newEnlarge reads what doubles a picture.
func newEnlarge(c weights.Cursor, in, out int, kind string) *dcResize {
	convolved := out
	if kind == byShaped {
		convolved = 4 * out
	}
	return newDCResize(c, in, convolved, nn.Kernel{Size: 3, Padding: 1}, kind, out)
}

// newReduce reads what halves a picture.
func newReduce(c weights.Cursor, in, out int, kind string) *dcResize {
	if kind == byUnshaped {
		return newDCResize(c, in, out/4, nn.Kernel{Size: 3, Padding: 1}, kind, out)
	}
	return newDCResize(c, in, out, nn.Kernel{Size: 3, Stride: 2, Padding: 1}, kind, out)
}

func newDCResize(c weights.Cursor, in, convolved int, k nn.Kernel, kind string, out int) *dcResize {
	return &dcResize{c.Path(), nn.NewConv2D(c.In("conv"), in, convolved, k, nn.Bias), kind, out}
}

func (r *dcResize) apply(f nn.Pass, x *Node) *Node {
	return f.Record(r.name, r.resize(f, x))
}

func (r *dcResize) resize(f nn.Pass, x *Node) *Node {
	in := x.Shape().Dim(3)
	switch r.kind {
	case byNearest:
		return Add(r.conv.Apply(f, nn.Double(x)), shuffle(repeatChannels(x, 4*r.out/in)))
	case byShaped:
		return Add(shuffle(r.conv.Apply(f, x)), shuffle(repeatChannels(x, 4*r.out/in)))
	case byUnshaped:
		return Add(unshuffle(r.conv.Apply(f, x)), meanChannels(unshuffle(x), r.out))
	default:
		return Add(r.conv.Apply(f, x), meanChannels(unshuffle(x), r.out))
	}
}

// shuffle makes squares of 2x2 pixels of 4 neighbouring channels each:
// [B, H, W, 4·C] to [B, 2H, 2W, C].
func shuffle(x *Node) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], d[2], d[3]/4, 2, 2)
	x = TransposeAllAxes(x, 0, 1, 4, 2, 5, 3)
	return Reshape(x, d[0], 2*d[1], 2*d[2], d[3]/4)
}

// unshuffle is the inverse of shuffle.
func unshuffle(x *Node) *Node {
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3])
	x = TransposeAllAxes(x, 0, 1, 3, 5, 2, 4)
	return Reshape(x, d[0], d[1]/2, d[2]/2, 4*d[3])
}

// repeatChannels repeats every channel count times.
func repeatChannels(x *Node, count int) *Node {
	d := x.Shape().Dimensions
	return Reshape(BroadcastToDims(InsertAxes(x, -1), d[0], d[1], d[2], d[3], count), d[0], d[1], d[2], d[3]*count)
}

// meanChannels averages neighbouring channels, in float32, down to so many.
func meanChannels(x *Node, channels int) *Node {
	d := x.Shape().Dimensions
	y := Reshape(ConvertDType(x, dtypes.Float32), d[0], d[1], d[2], channels, d[3]/channels)
	return ConvertDType(ReduceMean(y, -1), x.DType())
}
