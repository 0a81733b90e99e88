package pocket

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Language is a prefix language model: image and question see each other
// entirely, and the last place says the answer.
type Language struct {
	words    *nn.Embedding
	position *model.Variable // [MaxWords, hidden]
	blocks   []*block
	norm     *nn.LayerNorm
	head     *nn.Linear
}

// NewLanguage reads the language model's parameters at the cursor.
func NewLanguage(c weights.Cursor, cfg Config) *Language {
	l := &Language{
		words:    nn.NewEmbedding(c.In("embed_tokens"), cfg.VocabSize, cfg.HiddenSize),
		position: c.Variable("pos_embed", cfg.MaxWords, cfg.HiddenSize),
		norm:     nn.NewLayerNorm(c.In("norm"), cfg.HiddenSize, normEpsilon),
		head:     nn.NewLinear(c.In("lm_head"), cfg.HiddenSize, cfg.VocabSize),
	}
	for i := range cfg.TextLayers {
		l.blocks = append(l.blocks, newBlock(c.In("layers", i), cfg))
	}
	return l
}

// Apply returns the logits [B, vocabulary] of the answer to the question ids
// [B, MaxWords], padded on the left with 0, about image tokens [B, T, hidden].
func (l *Language) Apply(image, ids *Node) *Node {
	words := ConvertDType(l.words.Apply(ids), image.DType())
	words = Add(words, InsertAxes(ConvertDType(l.position.NodeValue(ids), image.DType()), 0))
	padding := ConvertDType(Equal(ids, ZerosLike(ids)), image.DType()) // [B, MaxWords]
	visible := ZerosLike(Slice(image, AxisRange(), AxisRange(), AxisElem(0)))
	const never = -1e9
	bias := MulScalar(Concatenate([]*Node{Reshape(visible, image.Shape().Dim(0), -1), padding}, 1), never)
	bias = InsertAxes(bias, 1, 1) // [B, 1, 1, T + MaxWords]

	x := Concatenate([]*Node{image, words}, 1)
	for _, b := range l.blocks {
		x = b.apply(x, bias)
	}
	last := Slice(x, AxisRange(), AxisElem(-1))
	return l.head.Apply(nil, l.norm.Apply(Reshape(last, last.Shape().Dim(0), -1)))
}

// block is a pre-norm transformer layer, the same in vision and language.
type block struct {
	heads         int
	norm1, norm2  *nn.LayerNorm
	q, k, v, out  *nn.Linear
	mlpIn, mlpOut *nn.Linear
}

func newBlock(c weights.Cursor, cfg Config) *block {
	d, attn, mlp := cfg.HiddenSize, c.In("self_attn"), c.In("mlp")
	return &block{
		heads:  cfg.NumHeads,
		norm1:  nn.NewLayerNorm(c.In("norm1"), d, normEpsilon),
		norm2:  nn.NewLayerNorm(c.In("norm2"), d, normEpsilon),
		q:      nn.NewLinear(attn.In("q_proj"), d, d),
		k:      nn.NewLinear(attn.In("k_proj"), d, d),
		v:      nn.NewLinear(attn.In("v_proj"), d, d),
		out:    nn.NewLinear(attn.In("o_proj"), d, d),
		mlpIn:  nn.NewLinear(mlp.In("fc1"), d, cfg.MLPRatio*d),
		mlpOut: nn.NewLinear(mlp.In("fc2"), cfg.MLPRatio*d, d),
	}
}

// apply maps x [B, S, hidden]; bias is added to the attention scores.
func (b *block) apply(x, bias *Node) *Node {
	h := b.norm1.Apply(x)
	q := nn.SplitHeads(b.q.Apply(nil, h), b.heads)
	k := nn.SplitHeads(b.k.Apply(nil, h), b.heads)
	v := nn.SplitHeads(b.v.Apply(nil, h), b.heads)
	x = Add(x, b.out.Apply(nil, nn.Attention(q, k, v, bias)))
	return Add(x, b.mlpOut.Apply(nil, nn.GELUTanh(b.mlpIn.Apply(nil, b.norm2.Apply(x)))))
}
