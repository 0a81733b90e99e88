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

// layer is attention and a gated MLP, each with a norm before it and, in Gemma, one
// after it.
type layer struct {
	name              string
	config            Config
	normAttn, normMLP nn.Layer
	postAttn, postMLP nn.Layer // nil without
	attention         *nn.MultiHead
	mlp               *nn.GatedMLP
}

func newLayer(c weights.Cursor, cfg Config) *layer {
	attn, inner, shared := c.In("self_attn"), cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim
	l := &layer{
		name:     c.Path(),
		config:   cfg,
		normAttn: newNorm(c.In("input_layernorm"), cfg, cfg.Hidden),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.Heads, KVHeads: cfg.KVHeads,
			Q:   nn.NewLinear(attn.In("q_proj"), cfg.Hidden, inner, cfg.QKVBias),
			K:   nn.NewLinear(attn.In("k_proj"), cfg.Hidden, shared, cfg.QKVBias),
			V:   nn.NewLinear(attn.In("v_proj"), cfg.Hidden, shared, cfg.QKVBias),
			Out: nn.NewLinear(attn.In("o_proj"), inner, cfg.Hidden, cfg.OutBias),
		},
		mlp: nn.NewGatedMLP(c.In("mlp"), cfg.Hidden, cfg.Intermediate, cfg.Hidden, nn.MustActivation(cfg.Activation), cfg.MLPBias),
	}
	if cfg.QKNorm {
		l.attention.NormQ = newNorm(attn.In("q_norm"), cfg, cfg.HeadDim)
		l.attention.NormK = newNorm(attn.In("k_norm"), cfg, cfg.HeadDim)
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
// [B, T, K, D].
func (l *layer) attend(f nn.Pass, s *sequence, i int, x *Node) (y, k, v *Node) {
	q, k, v := l.attention.Project(f, x, x)
	q, k = s.rotary[i].RotateHalves(q), s.rotary[i].RotateHalves(k)
	if s.growth != nil {
		q = Mul(q, ConvertDType(s.growth, q.DType()))
	}
	k, v = s.extend(k, v, i)
	h := nn.GroupedAttention(q, k, v, s.masks[i], l.config.AttentionScale, l.config.AttentionCap)
	return l.attention.Output(f, h), k, v
}

// optional applies a norm that not every model has.
func optional(n nn.Layer, f nn.Pass, x *Node) *Node {
	if n == nil {
		return x
	}
	return n.Apply(f, x)
}
