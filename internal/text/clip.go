package text

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// CLIP is the text encoder of CLIP: a causal transformer.
type CLIP struct {
	config    CLIPConfig
	words     *nn.Embedding
	positions *nn.Embedding
	blocks    []*clipBlock
	norm      *nn.LayerNorm
}

type clipBlock struct {
	heads        int
	norm1, norm2 *nn.LayerNorm
	q, k, v, out *nn.Linear
	fc1, fc2     *nn.Linear
}

// NewCLIP reads the encoder's parameters at the root of a checkpoint.
func NewCLIP(c weights.Cursor, cfg CLIPConfig) *CLIP {
	c = c.In("text_model")
	t := &CLIP{
		config:    cfg,
		words:     nn.NewEmbedding(c.In("embeddings", "token_embedding"), cfg.Vocabulary, cfg.Width),
		positions: nn.NewEmbedding(c.In("embeddings", "position_embedding"), cfg.Positions, cfg.Width),
		norm:      nn.NewLayerNorm(c.In("final_layer_norm"), cfg.Width, cfg.Epsilon),
	}
	for i := range cfg.Layers {
		t.blocks = append(t.blocks, newCLIPBlock(c.In("encoder", "layers", i), cfg))
	}
	return t
}

// CLIPSurplus accepts what checkpoints of CLIP carry besides: the numbers 0 to 76.
func CLIPSurplus(name string) bool { return name == "text_model.embeddings.position_ids" }

func newCLIPBlock(c weights.Cursor, cfg CLIPConfig) *clipBlock {
	attn, mlp := c.In("self_attn"), c.In("mlp")
	return &clipBlock{
		heads: cfg.Heads,
		norm1: nn.NewLayerNorm(c.In("layer_norm1"), cfg.Width, cfg.Epsilon),
		q:     nn.NewLinear(attn.In("q_proj"), cfg.Width, cfg.Width),
		k:     nn.NewLinear(attn.In("k_proj"), cfg.Width, cfg.Width),
		v:     nn.NewLinear(attn.In("v_proj"), cfg.Width, cfg.Width),
		out:   nn.NewLinear(attn.In("out_proj"), cfg.Width, cfg.Width),
		norm2: nn.NewLayerNorm(c.In("layer_norm2"), cfg.Width, cfg.Epsilon),
		fc1:   nn.NewLinear(mlp.In("fc1"), cfg.Width, cfg.Inner),
		fc2:   nn.NewLinear(mlp.In("fc2"), cfg.Inner, cfg.Width),
	}
}

// Apply encodes ids [B, S] (int32), S at most Positions, to the last hidden
// states [B, S, Width] in dtype.
func (t *CLIP) Apply(p *nn.Probe, ids *Node, dtype dtypes.DType) *Node {
	length := ids.Shape().Dim(1)
	places := Slice(t.positions.Weight.NodeValue(ids), AxisRange(0, length))
	x := Add(ConvertDType(t.words.Apply(ids), dtype), InsertAxes(ConvertDType(places, dtype), 0))
	p.See("embeddings", x)
	mask := causal(x.Graph(), length)
	for i, b := range t.blocks {
		x = p.In("encoder", "layers").See(i, b.apply(x, mask))
	}
	return p.See("final_layer_norm", t.norm.Apply(x))
}

func (b *clipBlock) apply(x, mask *Node) *Node {
	h := b.norm1.Apply(x)
	q, k, v := nn.SplitHeads(b.q.Apply(nil, h), b.heads), nn.SplitHeads(b.k.Apply(nil, h), b.heads), nn.SplitHeads(b.v.Apply(nil, h), b.heads)
	x = Add(x, b.out.Apply(nil, nn.Attention(q, k, v, mask)))
	return Add(x, b.fc2.Apply(nil, nn.QuickGELU(b.fc1.Apply(nil, b.norm2.Apply(x)))))
}

// causal hides from every word those behind it, [1, 1, S, S].
func causal(g *Graph, length int) *Node {
	const hidden = -1e9 // its exponential is 0 in float32
	mask := make([][]float32, length)
	for query := range length {
		mask[query] = make([]float32, length)
		for key := query + 1; key < length; key++ {
			mask[query][key] = hidden
		}
	}
	return InsertAxes(Const(g, mask), 0, 0)
}

// Summary returns the place in ids of the token whose hidden state stands for the
// whole text: the first end of text. In configurations of the first years the id
// of that is given as 2, wrongly, and the greatest id was meant.
func (c CLIPConfig) Summary(ids []int32) int {
	best := 0
	for i, id := range ids {
		if c.EndID != 2 && int(id) == c.EndID {
			return i
		}
		if c.EndID == 2 && id > ids[best] {
			best = i
		}
	}
	return best
}

// Pool picks from hidden states [B, S, Width] those at place (int32 scalar): [B, Width].
func Pool(hidden, place *Node) *Node {
	chosen := OneHot(place, hidden.Shape().Dim(1), hidden.DType()) // [S]
	return ReduceSum(Mul(hidden, ExpandAxes(chosen, 0, 2)), 1)
}
