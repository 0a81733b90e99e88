package text

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// CLIP is the text encoder of CLIP: a causal transformer.
type CLIP struct {
	name      string
	words     *nn.Embedding
	positions *nn.Embedding
	blocks    []*nn.EncoderBlock
	norm      *nn.LayerNorm
}

// NewCLIP reads the encoder's parameters at the root of a checkpoint. From version
// 5.6 on transformers leaves the prefix out.
func NewCLIP(c weights.Cursor, cfg CLIPConfig) *CLIP {
	c = c.Layout("embeddings.token_embedding.weight", "text_model", "")
	return &CLIP{
		name:      "text_model",
		words:     nn.NewEmbedding(c.In("embeddings", "token_embedding"), cfg.Vocabulary, cfg.Width),
		positions: nn.NewEmbedding(c.In("embeddings", "position_embedding"), cfg.Positions, cfg.Width),
		norm:      nn.NewLayerNorm(c.In("final_layer_norm"), cfg.Width, cfg.Epsilon),
		blocks: nn.NewEncoderBlocks(c.In("encoder", "layers"), nn.EncoderConfig{
			Layers: cfg.Layers, Hidden: cfg.Width, Intermediate: cfg.Inner, Heads: cfg.Heads, Epsilon: cfg.Epsilon, Activation: nn.QuickGELU,
		}),
	}
}

// CLIPSurplus accepts what checkpoints of CLIP carry besides: the numbers 0 to 76.
func CLIPSurplus(name string) bool {
	return strings.TrimPrefix(name, "text_model.") == "embeddings.position_ids"
}

// Apply encodes ids [B, S] (int32), S at most Positions, to the last hidden
// states [B, S, Width] in dtype.
func (t *CLIP) Apply(f nn.Pass, ids *Node, dtype dtypes.DType) *Node {
	length := ids.Shape().Dim(1)
	positions := Slice(t.positions.Weight.NodeValue(ids), AxisRange(0, length))
	x := Add(t.words.Apply(f, ids, dtype), InsertAxes(ConvertDType(positions, dtype), 0))
	f.Record(t.name+".embeddings", x)
	mask := causal(x.Graph(), length)
	for _, b := range t.blocks {
		x = b.Apply(f, x, mask)
	}
	return t.norm.Apply(f, x)
}

// causal is the mask that lets every word attend to itself and to those before it
// alone, [1, 1, S, S].
func causal(g *Graph, length int) *Node {
	const masked = -1e9 // its exponential is 0 in float32
	mask := make([][]float32, length)
	for query := range length {
		mask[query] = make([]float32, length)
		for key := query + 1; key < length; key++ {
			mask[query][key] = masked
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
