package decoder

import (
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// norm is nn.RMSNorm or nn.OffsetRMSNorm.
type norm interface{ Apply(x *Node) *Node }

func newNorm(c weights.Cursor, cfg Config, channels int) norm {
	if cfg.UnitOffset {
		return nn.NewOffsetRMSNorm(c, channels, cfg.Epsilon)
	}
	return nn.NewRMSNorm(c, channels, cfg.Epsilon)
}

// layer is attention and a gated feed-forward layer, each behind a norm and, in
// Gemma, before another one.
type layer struct {
	config            Config
	normAttn, normMLP norm
	postAttn, postMLP norm // nil without
	q, k, v, o        *nn.Linear
	normQ, normK      norm // per head, nil without
	gate, up, down    *nn.Linear
}

func newLayer(c weights.Cursor, cfg Config, i int) *layer {
	attn, mlp := c.In("self_attn"), c.In("mlp")
	inner, shared := cfg.Heads*cfg.HeadDim, cfg.KVHeads*cfg.HeadDim
	l := &layer{
		config:   cfg,
		normAttn: newNorm(c.In("input_layernorm"), cfg, cfg.Hidden),
		q:        newLinear(attn.In("q_proj"), cfg.Hidden, inner, cfg.QKVBias),
		k:        newLinear(attn.In("k_proj"), cfg.Hidden, shared, cfg.QKVBias),
		v:        newLinear(attn.In("v_proj"), cfg.Hidden, shared, cfg.QKVBias),
		o:        newLinear(attn.In("o_proj"), inner, cfg.Hidden, cfg.OutBias),
		gate:     newLinear(mlp.In("gate_proj"), cfg.Hidden, cfg.Intermediate, cfg.MLPBias),
		up:       newLinear(mlp.In("up_proj"), cfg.Hidden, cfg.Intermediate, cfg.MLPBias),
		down:     newLinear(mlp.In("down_proj"), cfg.Intermediate, cfg.Hidden, cfg.MLPBias),
	}
	if cfg.QKNorm {
		l.normQ = newNorm(attn.In("q_norm"), cfg, cfg.HeadDim)
		l.normK = newNorm(attn.In("k_norm"), cfg, cfg.HeadDim)
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

func newLinear(c weights.Cursor, in, out int, bias bool) *nn.Linear {
	if bias {
		return nn.NewLinear(c, in, out)
	}
	return nn.NewLinearNoBias(c, in, out)
}

// apply maps x [B, S, Hidden]; it also returns the keys and values of all tokens
// up to here, for the spans that follow.
func (l *layer) apply(f *pass, x *Node, i int) (y, k, v *Node) {
	if f.in.Checkpoint {
		x = x.Checkpoint()
	}
	h, k, v := l.attend(f, l.normAttn.Apply(x), i)
	x = Add(x, after(l.postAttn, h))
	h = l.normMLP.Apply(x)
	h = l.down.Apply(nil, Mul(l.activate(l.gate.Apply(nil, h)), l.up.Apply(nil, h)))
	x = Add(x, after(l.postMLP, h))
	if f.in.Checkpoint {
		// Without the stop those who use the keys later would compute them again.
		return x.StopCheckpoint(), k.StopCheckpoint(), v.StopCheckpoint()
	}
	return x, k, v
}

// attend returns the attention's output [B, S, Hidden] and all keys and values,
// [B, T, K, D].
func (l *layer) attend(f *pass, x *Node, i int) (y, k, v *Node) {
	q := nn.SplitHeads(l.q.Apply(nil, x), l.config.Heads)
	k = nn.SplitHeads(l.k.Apply(nil, x), l.config.KVHeads)
	v = nn.SplitHeads(l.v.Apply(nil, x), l.config.KVHeads)
	q, k = after(l.normQ, q), after(l.normK, k)
	turn := f.rotary[i]
	q, k = nn.RotateHalf(q, turn.cos, turn.sin), nn.RotateHalf(k, turn.cos, turn.sin)
	k, v = f.extend(k, v, i)
	h := nn.GroupedAttention(q, k, v, f.bias[i], l.config.AttentionScale, l.config.AttentionCap)
	return l.o.Apply(nil, h), k, v
}

func (l *layer) activate(x *Node) *Node {
	switch l.config.Activation {
	case "gelu":
		return nn.GELU(x)
	case "gelu_pytorch_tanh":
		return nn.GELUTanh(x)
	}
	return nn.SiLU(x)
}

// after applies a norm that not every model has.
func after(n norm, x *Node) *Node {
	if n == nil {
		return x
	}
	return n.Apply(x)
}
