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

// t5Block is a pre-norm transformer block: attention and a gated MLP.
type t5Block struct {
	name              string
	normAttn, normMLP *nn.RMSNorm
	attention         *nn.MultiHead
	mlp               *nn.GatedMLP
}

// NewT5 reads the encoder's parameters at the root of a checkpoint.
func NewT5(c weights.Cursor, cfg T5Config) *T5 {
	encoder := c.In("encoder")
	t := &T5{
		config: cfg,
		words:  nn.NewEmbedding(c.Layout("weight", "shared", "encoder.embed_tokens"), cfg.Vocabulary, cfg.Width),
		bias: nn.NewEmbedding(encoder.In("block", 0, "layer", 0, "SelfAttention", "relative_attention_bias"),
			cfg.Buckets, cfg.Heads),
		norm: nn.NewRMSNorm(encoder.In("final_layer_norm"), cfg.Width, cfg.Epsilon, nn.NoBias),
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newT5Block(encoder.In("block", i), cfg))
	}
	return t
}

// T5Surplus accepts what checkpoints of T5 carry besides: the token embeddings
// under their second name, which some have alone.
func T5Surplus(name string) bool { return name == "encoder.embed_tokens.weight" }

func newT5Block(c weights.Cursor, cfg T5Config) *t5Block {
	first, second := c.In("layer", 0), c.In("layer", 1)
	attn, mlp, inner := first.In("SelfAttention"), second.In("DenseReluDense"), cfg.Heads*cfg.HeadWidth
	linear := func(c weights.Cursor, in, out int) *nn.Linear { return nn.NewLinear(c, in, out, nn.NoBias) }
	return &t5Block{
		name:     c.Path(),
		normAttn: nn.NewRMSNorm(first.In("layer_norm"), cfg.Width, cfg.Epsilon, nn.NoBias),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.Heads,
			Q: linear(attn.In("q"), cfg.Width, inner), K: linear(attn.In("k"), cfg.Width, inner),
			V: linear(attn.In("v"), cfg.Width, inner), Out: linear(attn.In("o"), inner, cfg.Width),
		},
		normMLP: nn.NewRMSNorm(second.In("layer_norm"), cfg.Width, cfg.Epsilon, nn.NoBias),
		mlp: &nn.GatedMLP{
			Name: mlp.Path(), Activation: nn.GELUTanh,
			Gate: linear(mlp.In("wi_0"), cfg.Width, cfg.Inner), Up: linear(mlp.In("wi_1"), cfg.Width, cfg.Inner),
			Down: linear(mlp.In("wo"), cfg.Inner, cfg.Width),
		},
	}
}

// Apply encodes ids [B, S] (int32) to [B, S, Width] in dtype.
func (t *T5) Apply(f nn.Pass, ids *Node, dtype dtypes.DType) *Node {
	x := t.words.Apply(f, ids, dtype)
	bias := t.distances(f, x.Graph(), ids.Shape().Dim(1))
	for _, b := range t.blocks {
		x = b.apply(f, x, bias)
	}
	return t.norm.Apply(f, x)
}

// apply maps x [B, S, Width]; there is no 1/√D in T5's attention.
func (b *t5Block) apply(f nn.Pass, x, bias *Node) *Node {
	h := b.normAttn.Apply(f, x)
	q, k, v := b.attention.Project(f, h, h)
	x = Add(x, b.attention.Output(f, nn.ScaledAttention(q, k, v, bias, 1)))
	f.RecordAll(b.name+".layer.0", x, bias)
	x = Add(x, b.mlp.Apply(f, b.normMLP.Apply(f, x)))
	f.RecordAll(b.name, x, bias)
	return x
}

// distances returns what attention adds for the distance of two words, [1, N, S, S].
func (t *T5) distances(f nn.Pass, g *Graph, length int) *Node {
	buckets := make([][]int32, length)
	for query := range length {
		buckets[query] = make([]int32, length)
		for key := range length {
			buckets[query][key] = int32(t.config.bucket(key - query))
		}
	}
	bias := t.bias.Apply(f, Const(g, buckets), dtypes.Float32) // [S, S, N]
	return InsertAxes(TransposeAllAxes(bias, 2, 0, 1), 0)
}

// bucket is where a distance is counted: half of the buckets for words that follow;
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
