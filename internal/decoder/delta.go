package decoder

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Delta sizes the layers that have a gated delta network (Yang et al., 2024) in place
// of attention: a state that every token reads and corrects.
type Delta struct {
	KeyHeads, ValueHeads int // KeyHeads divides ValueHeads, which share keys and queries
	KeyDim, ValueDim     int // of a head
	Kernel               int // tokens under the convolution before it
}

// channels are those that the convolution goes over: queries, keys and values.
func (d Delta) channels() int { return 2*d.KeyHeads*d.KeyDim + d.ValueHeads*d.ValueDim }

// deltaNet is the layer.
type deltaNet struct {
	Delta
	qkv, gate, beta, decay, out *nn.Linear
	kernel                      *model.Variable // [channels, 1, Kernel], the last for the token itself
	rate, offset                *model.Variable // A_log and dt_bias, [ValueHeads]: how fast the state decays
	norm                        *nn.RMSNorm     // per head, without the offset that other norms have
}

func newDeltaNet(c weights.Cursor, cfg Config) *deltaNet {
	d, values := cfg.Delta, cfg.Delta.ValueHeads*cfg.Delta.ValueDim
	project := func(name string, out int) *nn.Linear { return nn.NewLinear(c.In(name), cfg.Hidden, out, nn.NoBias) }
	return &deltaNet{
		Delta: d,
		qkv:   project("in_proj_qkv", d.channels()), gate: project("in_proj_z", values),
		beta: project("in_proj_b", d.ValueHeads), decay: project("in_proj_a", d.ValueHeads),
		out:    nn.NewLinear(c.In("out_proj"), values, cfg.Hidden, nn.NoBias),
		kernel: c.In("conv1d").Variable("weight", d.channels(), 1, d.Kernel),
		rate:   c.Variable("A_log", d.ValueHeads), offset: c.Variable("dt_bias", d.ValueHeads),
		norm: nn.NewRMSNorm(c.In("norm"), d.ValueDim, cfg.Epsilon, nn.NoBias),
	}
}

// apply maps x [B, S, Hidden] in layer number i to the same. It also returns what the
// tokens that follow need, in place of keys and values: the last inputs of the
// convolution, [B, Kernel-1, channels], and the state, float32 [B, ValueHeads, KeyDim, ValueDim].
// Padding has to follow the tokens.
func (l *deltaNet) apply(f nn.Pass, s *sequence, i int, x *Node) (y, inputs, state *Node) {
	mixed, inputs := l.convolve(s, i, l.qkv.Apply(f, x))
	keys := l.KeyHeads * l.KeyDim
	part := func(from, to, heads int) *Node {
		return nn.SplitHeads(Slice(mixed, AxisRange(), AxisRange(), AxisRange(from, to)), heads) // [B, S, N, D]
	}
	q, k := l.share(unit(part(0, keys, l.KeyHeads))), l.share(unit(part(keys, 2*keys, l.KeyHeads)))
	v := part(2*keys, l.channels(), l.ValueHeads)
	beta, decay := l.weigh(f, s, x)
	if s.past != nil {
		state = s.past.Values[i]
	}
	read, state := nn.GatedDeltaRule(MulScalar(q, 1/math.Sqrt(float64(l.KeyDim))), k, v, decay, beta, state)
	read = l.norm.Apply(f, ConvertDType(read, x.DType()))
	gate := nn.SiLU(ConvertDType(nn.SplitHeads(l.gate.Apply(f, x), l.ValueHeads), dtypes.Float32))
	read = ConvertDType(Mul(ConvertDType(read, dtypes.Float32), gate), x.DType())
	return l.out.Apply(f, Reshape(read, x.Shape().Dim(0), x.Shape().Dim(1), -1)), inputs, state
}

// convolve makes of each channel of x [B, S, channels] a sum over the last tokens.
func (l *deltaNet) convolve(s *sequence, i int, x *Node) (y, inputs *Node) {
	d := x.Shape().Dimensions
	before := Zeros(x.Graph(), shapes.Make(x.DType(), d[0], l.Kernel-1, d[2]))
	if s.past != nil {
		before = s.past.Keys[i]
	}
	all := Concatenate([]*Node{before, x}, 1)
	kernel := ConvertDType(l.kernel.NodeValue(x), x.DType())
	for j := range l.Kernel {
		term := Mul(Slice(all, AxisRange(), AxisRange(j, j+d[1])), Reshape(Slice(kernel, AxisRange(), AxisRange(), AxisElem(j)), 1, 1, d[2]))
		if y == nil {
			y = term
		} else {
			y = Add(y, term)
		}
	}
	return nn.SiLU(y), s.lastReal(all, l.Kernel-1)
}

// lastReal returns the last n of x [B, n+S, ...] before the padding of the span.
func (s *sequence) lastReal(x *Node, n int) *Node {
	valid := s.real()
	if valid == nil {
		return Slice(x, AxisRange(), AxisRange(s.length()))
	}
	count := ReduceSum(ConvertDType(valid, dtypes.Int32), -1) // [B]
	at := Add(InsertAxes(count, -1), Iota(x.Graph(), shapes.Make(dtypes.Int32, 1, n), 1))
	return Einsum("bjt,btc->bjc", OneHot(at, n+s.length(), x.DType()), x)
}

// weigh returns how much of the state each token of x corrects and what it leaves of
// it, as an exponent: float32 [B, S, ValueHeads] each. Padding does neither.
func (l *deltaNet) weigh(f nn.Pass, s *sequence, x *Node) (beta, decay *Node) {
	float := func(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
	perHead := func(v *model.Variable) *Node { return InsertAxes(float(v.NodeValue(x)), 0, 0) }
	beta = float(Sigmoid(l.beta.Apply(f, x)))
	decay = Neg(Mul(Exp(perHead(l.rate)), softplus(Add(float(l.decay.Apply(f, x)), perHead(l.offset)))))
	if valid := s.real(); valid != nil {
		real := InsertAxes(float(valid), -1)
		beta, decay = Mul(beta, real), Mul(decay, real)
	}
	return beta, decay
}

// share gives the value heads that follow each other the queries or keys
// [B, S, KeyHeads, D] of one: [B, S, ValueHeads, D].
func (l *deltaNet) share(x *Node) *Node {
	d, n := x.Shape().Dimensions, l.ValueHeads/l.KeyHeads
	x = BroadcastToDims(InsertAxes(x, 3), d[0], d[1], d[2], n, d[3])
	return Reshape(x, d[0], d[1], d[2]*n, d[3])
}

// unit brings the last axis to length 1, in float32.
func unit(x *Node) *Node {
	const epsilon = 1e-6 // in transformers' code, not in the configuration
	x = ConvertDType(x, dtypes.Float32)
	return Div(x, Sqrt(AddScalar(ReduceAndKeep(Square(x), ReduceSum, -1), epsilon)))
}

// softplus is log(1 + exp(x)).
func softplus(x *Node) *Node {
	return Add(Max(x, ZerosLike(x)), Log1P(Exp(Neg(Abs(x)))))
}
