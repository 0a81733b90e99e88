package text

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// T5 is the encoder of T5 v1.1: no biases, positions by distance, a gated
// feed-forward layer. Padding is attended to like any word, as the image models
// were trained with.
type T5 struct {
	config T5Config
	words  *nn.Embedding
	bias   *nn.Embedding // [buckets, heads], of the first block and used by all
	blocks []*t5Block
	norm   *nn.RMSNorm
}

type t5Block struct {
	heads             int
	normAttn, normFF  *nn.RMSNorm
	q, k, v, o        *nn.Linear
	gate, linear, out *nn.Linear
}

// NewT5 reads the encoder's parameters at the root of a checkpoint.
func NewT5(c weights.Cursor, cfg T5Config) *T5 {
	encoder := c.In("encoder")
	t := &T5{
		config: cfg,
		words:  nn.NewEmbedding(c.In("shared"), cfg.Vocabulary, cfg.Width),
		bias: nn.NewEmbedding(encoder.In("block", 0, "layer", 0, "SelfAttention", "relative_attention_bias"),
			cfg.Buckets, cfg.Heads),
		norm: nn.NewRMSNorm(encoder.In("final_layer_norm"), cfg.Width, cfg.Epsilon),
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newT5Block(encoder.In("block", i, "layer"), cfg))
	}
	return t
}

// T5Surplus accepts what checkpoints of T5 carry besides: the words' vectors
// under their second name.
func T5Surplus(name string) bool { return name == "encoder.embed_tokens.weight" }

func newT5Block(c weights.Cursor, cfg T5Config) *t5Block {
	attn, ff, inner := c.In(0, "SelfAttention"), c.In(1, "DenseReluDense"), cfg.Heads*cfg.HeadWidth
	return &t5Block{
		heads:    cfg.Heads,
		normAttn: nn.NewRMSNorm(c.In(0, "layer_norm"), cfg.Width, cfg.Epsilon),
		q:        nn.NewLinearNoBias(attn.In("q"), cfg.Width, inner),
		k:        nn.NewLinearNoBias(attn.In("k"), cfg.Width, inner),
		v:        nn.NewLinearNoBias(attn.In("v"), cfg.Width, inner),
		o:        nn.NewLinearNoBias(attn.In("o"), inner, cfg.Width),
		normFF:   nn.NewRMSNorm(c.In(1, "layer_norm"), cfg.Width, cfg.Epsilon),
		gate:     nn.NewLinearNoBias(ff.In("wi_0"), cfg.Width, cfg.Inner),
		linear:   nn.NewLinearNoBias(ff.In("wi_1"), cfg.Width, cfg.Inner),
		out:      nn.NewLinearNoBias(ff.In("wo"), cfg.Inner, cfg.Width),
	}
}

// Apply encodes ids [B, S] (int32) to [B, S, Width] in dtype.
func (t *T5) Apply(p *nn.Probe, ids *Node, dtype dtypes.DType) *Node {
	p = p.In("encoder")
	x := ConvertDType(t.words.Apply(ids), dtype)
	bias := t.distances(x.Graph(), ids.Shape().Dim(1))
	for i, b := range t.blocks {
		at := p.In("block", i)
		x = b.attend(at.In("layer", 0), x, bias)
		x = at.See(0, b.feed(x))
		at.See(1, bias)
	}
	return p.See("final_layer_norm", t.norm.Apply(x))
}

// attend adds the attention's output; there is no 1/√D in T5.
func (b *t5Block) attend(p *nn.Probe, x, bias *Node) *Node {
	h := b.normAttn.Apply(x)
	q, k, v := nn.SplitHeads(b.q.Apply(nil, h), b.heads), nn.SplitHeads(b.k.Apply(nil, h), b.heads), nn.SplitHeads(b.v.Apply(nil, h), b.heads)
	x = Add(x, b.o.Apply(nil, nn.ScaledAttention(q, k, v, bias, 1)))
	p.See(1, bias)
	return p.See(0, x)
}

// feed adds the feed-forward layer's output.
func (b *t5Block) feed(x *Node) *Node {
	h := b.normFF.Apply(x)
	return Add(x, b.out.Apply(nil, Mul(nn.GELUTanh(b.gate.Apply(nil, h)), b.linear.Apply(nil, h))))
}

// distances returns what attention adds for the distance of two words, [1, N, S, S].
func (t *T5) distances(g *Graph, length int) *Node {
	buckets := make([][]int32, length)
	for query := range length {
		buckets[query] = make([]int32, length)
		for key := range length {
			buckets[query][key] = int32(t.config.bucket(key - query))
		}
	}
	bias := t.bias.Apply(Const(g, buckets)) // [S, S, N]
	return InsertAxes(TransposeAllAxes(bias, 2, 0, 1), 0)
}

// bucket is where a distance is counted: half of the buckets for words behind;
// short distances have one each, the others share by their logarithm. The
// logarithm is float32 as the model was trained with: it decides ties.
func (c T5Config) bucket(distance int) int {
	half, first := c.Buckets/2, 0
	if distance > 0 {
		first = half
	} else {
		distance = -distance
	}
	exact := half / 2
	if distance < exact {
		return first + distance
	}
	ratio := float32(math.Log(float64(float32(distance)/float32(exact)))) / float32(math.Log(float64(c.MaxDistance)/float64(exact)))
	return first + min(exact+int(ratio*float32(half-exact)), half-1)
}
