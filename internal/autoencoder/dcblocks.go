package autoencoder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// channelNorm is an RMS norm over channels with an offset.
type channelNorm struct {
	rms  *nn.RMSNorm
	bias *model.Variable // [channels]
}

func newChannelNorm(c weights.Cursor, channels int) *channelNorm {
	const epsilon = 1e-5
	return &channelNorm{nn.NewRMSNorm(c, channels, epsilon), c.Variable("bias", channels)}
}

func (n *channelNorm) apply(x *Node) *Node {
	return Add(n.rms.Apply(x), ExpandLeftToRank(ConvertDType(n.bias.NodeValue(x), x.DType()), x.Rank()))
}

// dcResidual is x + norm(conv2(silu(conv1(x)))).
type dcResidual struct {
	conv1, conv2 *nn.Conv2D
	norm         *channelNorm
}

func newDCResidual(c weights.Cursor, channels int) *dcResidual {
	return &dcResidual{
		conv1: nn.NewConv2D(c.In("conv1"), channels, channels, 3, 1, 1),
		conv2: nn.NewConv2DNoBias(c.In("conv2"), channels, channels, 3, 1, 1),
		norm:  newChannelNorm(c.In("norm"), channels),
	}
}

func (r *dcResidual) apply(_ *nn.Probe, x *Node) *Node {
	return Add(x, r.norm.apply(r.conv2.Apply(nn.SiLU(r.conv1.Apply(x)))))
}

// dcAttention is linear attention over all places of a picture and then a gated
// convolution (EfficientViTBlock in diffusers). Queries, keys and values come at
// several scales: as they are, and gathered by wider kernels.
type dcAttention struct {
	q, k, v, out *nn.Linear
	scales       []*dcScale
	norm         *channelNorm
	gated        *nn.GatedConv
	gatedNorm    *channelNorm
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
		headWidth: headWidth,
		q:         nn.NewLinearNoBias(attn.In("to_q"), channels, inner),
		k:         nn.NewLinearNoBias(attn.In("to_k"), channels, inner),
		v:         nn.NewLinearNoBias(attn.In("to_v"), channels, inner),
		out:       nn.NewLinearNoBias(attn.In("to_out"), inner*(1+len(kernels)), channels),
		norm:      newChannelNorm(attn.In("norm_out"), channels),
		gated:     nn.NewGatedConv(c.In("conv_out"), channels, ratio*channels),
		gatedNorm: newChannelNorm(c.In("conv_out", "norm"), channels),
	}
	for i, kernel := range kernels {
		at := attn.In("to_qkv_multiscale", i)
		a.scales = append(a.scales, &dcScale{
			gather: nn.NewDepthwiseConv2DNoBias(at.In("proj_in"), 3*inner, kernel),
			mix:    at.In("proj_out").Variable("weight", 3*inner, headWidth, 1, 1),
		})
	}
	return a
}

func (a *dcAttention) apply(p *nn.Probe, x *Node) *Node {
	x = p.See("attn", Add(x, a.norm.apply(a.attend(x))))
	return Add(x, a.gatedNorm.apply(a.gated.Apply(nil, nil, x)))
}

// attend maps x [B, H, W, C] to the same shape.
func (a *dcAttention) attend(x *Node) *Node {
	qkv := Concatenate([]*Node{a.q.Apply(nil, x), a.k.Apply(nil, x), a.v.Apply(nil, x)}, -1)
	all := []*Node{qkv}
	for _, s := range a.scales {
		all = append(all, s.apply(qkv, a.headWidth))
	}
	h := Concatenate(all, -1)
	d := h.Shape().Dimensions
	// A head takes its query, key and value from 3 neighbouring stretches, whatever
	// they were made as: the first heads so see queries alone.
	heads := d[3] / (3 * a.headWidth)
	h = Reshape(h, d[0], d[1]*d[2], heads, 3, a.headWidth)
	part := func(i int) *Node {
		return Squeeze(Slice(h, AxisRange(), AxisRange(), AxisRange(), AxisElem(i), AxisRange()), 3)
	}
	attention := nn.LinearAttention
	if d[1]*d[2] <= a.headWidth {
		attention = nn.LinearAttentionBySimilarity
	}
	return a.out.Apply(nil, Reshape(attention(part(0), part(1), part(2)), d[0], d[1], d[2], -1))
}

// apply keeps the shape of qkv [B, H, W, 3·inner].
func (s *dcScale) apply(qkv *Node, width int) *Node {
	x := s.gather.Apply(nil, qkv)
	d := x.Shape().Dimensions
	x = Reshape(x, d[0], d[1], d[2], d[3]/width, width)
	mix := Reshape(ConvertDType(s.mix.NodeValue(x), x.DType()), d[3]/width, width, width) // group, out, in
	return Reshape(Einsum("bhwgi,goi->bhwgo", x, mix), d...)
}

// dcResize halves or doubles a picture: a convolution, and beside it a shortcut
// without parameters.
type dcResize struct {
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
	return &dcResize{nn.NewConv2D(c, in, convolved, 3, 1, 1), kind, out}
}

// newReduce reads what halves a picture.
func newReduce(c weights.Cursor, in, out int, kind string) *dcResize {
	if kind == byUnshaped {
		return &dcResize{nn.NewConv2D(c, in, out/4, 3, 1, 1), kind, out}
	}
	return &dcResize{nn.NewConv2D(c, in, out, 3, 2, 1), kind, out}
}

func (r *dcResize) apply(x *Node) *Node {
	in := x.Shape().Dim(3)
	switch r.kind {
	case byNearest:
		return Add(r.conv.Apply(nn.Double(x)), shuffle(repeatChannels(x, 4*r.out/in)))
	case byShaped:
		return Add(shuffle(r.conv.Apply(x)), shuffle(repeatChannels(x, 4*r.out/in)))
	case byUnshaped:
		return Add(unshuffle(r.conv.Apply(x)), meanChannels(unshuffle(x), r.out))
	default:
		return Add(r.conv.Apply(x), meanChannels(unshuffle(x), r.out))
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

// repeatChannels puts count copies of every channel behind it.
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
