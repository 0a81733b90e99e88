package decoder

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func newNorm(c weights.Cursor, cfg Config, channels int) nn.Layer {
	if cfg.UnitOffset {
		return nn.NewOffsetRMSNorm(c, channels, cfg.Epsilon)
	}
	return nn.NewRMSNorm(c, channels, cfg.Epsilon, nn.NoBias)
}

// layer is attention, or a gated delta network, and a gated MLP, each with a norm before it and, in Gemma, one
// after it.
type layer struct {
	name              string
	config            Config
	normAttn, normMLP nn.Layer
	postAttn, postMLP nn.Layer      // nil without
	attention         *nn.MultiHead // nil where there is
	delta             *deltaNet     // in its place
	mlp               *nn.GatedMLP
}

func newLayer(c weights.Cursor, cfg Config, i int) *layer {
	l := &layer{
		name:     c.Path(),
		config:   cfg,
		normAttn: newNorm(c.In("input_layernorm"), cfg, cfg.Hidden),
		mlp:      nn.NewGatedMLP(c.In("mlp"), cfg.Hidden, cfg.Intermediate, cfg.Hidden, nn.MustActivation(cfg.Activation), cfg.MLPBias),
	}
	if cfg.recurrent(i) {
		l.delta = newDeltaNet(c.In("linear_attn"), cfg)
	} else {
		l.attention = newAttention(c.In("self_attn"), cfg)
	}
	if !cfg.PostNorms {
		l.normMLP = newNorm(c.In("post_attention_layernorm"), cfg, cfg.Hidden)
		return l
	}
	// The same name means the norm after attention here.
	l.postAttn = newNorm(c.In("post_attention_layernorm"), cfg, cfg.Hidden)
	l.normMLP = newNorm(c.In("pre_feedforward_layernorm"), cfg, cfg.Hidden)
	l.postMLP = newNorm(c.In("post_feedforward_layernorm"), cfg, cfg.Hidden)
	return l
}

func newAttention(c weights.Cursor, cfg Config) *nn.MultiHead {
	inner, shared := cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim
	queries := inner
	if cfg.OutputGate {
		queries *= 2
	}
	a := &nn.MultiHead{
		Name: c.Path(), Heads: cfg.Heads, KVHeads: cfg.KVHeads,
		Q:   nn.NewLinear(c.In("q_proj"), cfg.Hidden, queries, cfg.QKVBias),
		K:   nn.NewLinear(c.In("k_proj"), cfg.Hidden, shared, cfg.QKVBias),
		V:   nn.NewLinear(c.In("v_proj"), cfg.Hidden, shared, cfg.QKVBias),
		Out: nn.NewLinear(c.In("o_proj"), inner, cfg.Hidden, cfg.OutBias),
	}
	if cfg.QKNorm {
		a.NormQ, a.NormK = newNorm(c.In("q_norm"), cfg, cfg.HeadDim), newNorm(c.In("k_norm"), cfg, cfg.HeadDim)
	}
	return a
}

// apply maps x [B, S, Hidden] in layer number i; it also returns the keys and values
// of all tokens up to here, for the spans that follow.
func (l *layer) apply(f nn.Pass, s *sequence, i int, x *Node) (y, k, v *Node) {
	x = f.Enter(x)
	h, k, v := l.attend(f, s, i, l.normAttn.Apply(f, x))
	x = Add(x, optional(l.postAttn, f, h))
	h = l.mlp.Apply(f, l.normMLP.Apply(f, x))
	x = Add(x, optional(l.postMLP, f, h))
	// Keys and values leave, too: those who use them later would compute them again.
	return f.Record(l.name, f.Leave(x)), f.Leave(k), f.Leave(v)
}

// attend returns the attention's output [B, S, Hidden] and all keys and values,
// [B, T, K, D]; of a gated delta network, what it has in their place.
func (l *layer) attend(f nn.Pass, s *sequence, i int, x *Node) (y, k, v *Node) {
	if l.delta != nil {
		return l.delta.apply(f, s, i, x)
	}
	q, k, v, gate := l.project(f, x)
	q, k = rotate(s.rotary[i], q), rotate(s.rotary[i], k)
	if s.growth != nil {
		q = Mul(q, ConvertDType(s.growth, q.DType()))
	}
	k, v = s.extend(k, v, i)
	h := nn.GroupedAttention(q, k, v, s.masks[i], l.config.AttentionScale, l.config.AttentionCap)
	if gate != nil {
		h = Mul(h, Sigmoid(gate))
	}
	return l.attention.Output(f, h), k, v
}

// project returns queries, keys and values by heads, and the output's gate
// [B, S, N·D], nil for none, which stands behind each head's query.
func (l *layer) project(f nn.Pass, x *Node) (q, k, v, gate *Node) {
	a := l.attention
	if !l.config.OutputGate {
		q, k, v = a.Project(f, x, x)
		return q, k, v, nil
	}
	both, d := nn.SplitHeads(a.Q.Apply(f, x), a.Heads), l.config.HeadDim
	gate = Slice(both, AxisRange(), AxisRange(), AxisRange(), AxisRange(d))
	q = optional(a.NormQ, f, Slice(both, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, d)))
	k, v = a.KeysAndValues(f, x)
	return q, k, v, Reshape(gate, x.Shape().Dim(0), x.Shape().Dim(1), -1)
}

// rotate rotates as much of each head of x [B, S, N, D] as there are frequencies for.
func rotate(r nn.Rotary, x *Node) *Node {
	rotated := 2 * r.Cos.Shape().Dim(-1)
	if rotated == x.Shape().Dim(-1) {
		return r.RotateHalves(x)
	}
	part := func(from ...int) *Node { return Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(from...)) }
	return Concatenate([]*Node{r.RotateHalves(part(0, rotated)), part(rotated)}, -1)
}

// optional applies a norm that not every model has.
func optional(n nn.Layer, f nn.Pass, x *Node) *Node {
	if n == nil {
		return x
	}
	return n.Apply(f, x)
}
