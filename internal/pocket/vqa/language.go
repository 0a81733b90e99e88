package vqa

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Language reads a question about a picture: the words attend to each other and to
// the image tokens, the image tokens to no words. So a picture goes through the
// tower once for all questions about it. The last place says the answer.
type Language struct {
	words    *nn.Embedding
	position *model.Variable // [MaxWords, hidden]
	pairs    *nn.Linear      // two neighbouring words, to what they mean together
	question *nn.Linear      // the summed words, to the answer's place
	picture  *nn.Linear      // the read-out tokens, to the answer's place
	match    *match          // of the two
	readout  int             // number of read-out tokens
	blocks   []*block
	norm     *nn.LayerNorm
	head     *nn.Linear
}

// NewLanguage reads the language model's parameters at the cursor.
func NewLanguage(c weights.Cursor, cfg Config) *Language {
	l := &Language{
		words:    nn.NewEmbedding(c.In("embed_tokens"), cfg.VocabSize, cfg.HiddenSize),
		position: c.Variable("pos_embed", cfg.MaxWords, cfg.HiddenSize),
		pairs:    nn.NewLinear(c.In("answer_in", "pairs"), 2*cfg.HiddenSize, cfg.HiddenSize, nn.Bias),
		question: nn.NewLinear(c.In("answer_in", "question"), cfg.HiddenSize, cfg.HiddenSize, nn.Bias),
		picture:  nn.NewLinear(c.In("answer_in", "picture"), cfg.ReadoutTokens*cfg.HiddenSize, cfg.HiddenSize, nn.Bias),
		match:    newMatch(c.In("answer_in", "match"), cfg),
		readout:  cfg.ReadoutTokens,
		norm:     nn.NewLayerNorm(c.In("norm"), cfg.HiddenSize, normEpsilon),
		head:     nn.NewLinear(c.In("lm_head"), cfg.HiddenSize, cfg.VocabSize, nn.Bias),
	}
	for i := range cfg.TextLayers {
		l.blocks = append(l.blocks, newBlock(c.In("layers", i), cfg))
	}
	return l
}

// Apply returns the logits [B·Q, vocabulary] of the answers to questions ids
// [B·Q, MaxWords], padded on the left with 0: Q about each of the pictures whose
// tokens are image [B, T, hidden], those about the first picture first.
func (l *Language) Apply(f nn.Pass, image, ids *Node) *Node {
	x := l.words.Apply(f, ids, image.DType())
	answer := l.answer(f, image, ids, x)
	x = Add(x, InsertAxes(ConvertDType(l.position.NodeValue(ids), image.DType()), 0))
	x = Concatenate([]*Node{Slice(x, AxisRange(), AxisRange(0, x.Shape().Dim(1)-1)), Add(Slice(x, AxisRange(), AxisElem(-1)), answer)}, 1)
	const masked = -1e9
	padding := ConvertDType(Equal(ids, ZerosLike(ids)), dtypes.Float32)         // [B·Q, MaxWords]
	mask := MulScalar(nn.PadZeros(padding, image.Shape().Dim(1), 0, 1), masked) // of image tokens none is
	mask = InsertAxes(mask, 1, 1)                                               // [B·Q, 1, 1, T + MaxWords]
	for _, b := range l.blocks {
		x = b.apply(f, x, image, mask)
	}
	last := Slice(x, AxisRange(), AxisElem(-1))
	return l.head.Apply(f, l.norm.Apply(f, Reshape(last, last.Shape().Dim(0), -1)))
}

// answer is what the answer's place begins with, [B·Q, 1, hidden]: the sum of the
// words and of their pairs, the read-out of the picture, and how well they match,
// undiluted. By attention alone the model was slow to learn whether a word of the
// question fits the picture, and never learnt that "is A closer than B" is not "is
// B closer than A": the same words, but not the same pairs.
func (l *Language) answer(f nn.Pass, image, ids, words *Node) *Node {
	const wordScale = 0.35
	known := ConvertDType(NotEqual(ids, ZerosLike(ids)), words.DType())
	meanings := Add(words, nn.GELUTanh(l.pairs.Apply(f, Concatenate([]*Node{before(words), words}, -1))))
	summed := MulScalar(ReduceSum(Mul(meanings, InsertAxes(known, -1)), 1), wordScale) // [B·Q, hidden]
	batch, tokens := image.Shape().Dim(0), image.Shape().Dim(1)
	readout := Reshape(Slice(image, AxisRange(), AxisRange(tokens-l.readout)), batch, -1)
	times := ids.Shape().Dim(0) / batch
	x := Add(l.question.Apply(f, summed), repeat(l.picture.Apply(f, readout), times))
	return InsertAxes(Add(x, l.match.apply(f, summed, readout, times)), 1)
}

// before is, for each place of words [B·Q, S, hidden], the word before it; zeros at
// the first.
func before(words *Node) *Node {
	return nn.PadZeros(Slice(words, AxisRange(), AxisRange(0, -1)), 1, 0, 1)
}

// match multiplies projections of question and picture, number by number:
// low-rank bilinear pooling (Kim et al., 2017).
type match struct{ question, picture, out *nn.Linear }

func newMatch(c weights.Cursor, cfg Config) *match {
	return &match{
		question: nn.NewLinear(c.In("question"), cfg.HiddenSize, matchFactor*cfg.HiddenSize, nn.Bias),
		picture:  nn.NewLinear(c.In("picture"), cfg.ReadoutTokens*cfg.HiddenSize, matchFactor*cfg.HiddenSize, nn.Bias),
		out:      nn.NewLinear(c.In("out"), matchFactor*cfg.HiddenSize, cfg.HiddenSize, nn.Bias),
	}
}

// matchFactor is the rank of the match over the hidden size.
const matchFactor = 2

// apply maps questions [B·Q, hidden] and pictures [B, readout] to [B·Q, hidden].
func (m *match) apply(f nn.Pass, question, picture *Node, times int) *Node {
	product := Mul(m.question.Apply(f, question), repeat(m.picture.Apply(f, picture), times))
	return m.out.Apply(f, product)
}

// block is a pre-norm transformer layer, the same in vision and language.
type block struct {
	norm1, norm2 *nn.LayerNorm
	attention    *nn.MultiHead
	mlp          *nn.MLP
}

func newBlock(c weights.Cursor, cfg Config) *block {
	d, attn := cfg.HiddenSize, c.In("self_attn")
	linear := func(name string) *nn.Linear { return nn.NewLinear(attn.In(name), d, d, nn.Bias) }
	return &block{
		norm1: nn.NewLayerNorm(c.In("norm1"), d, normEpsilon),
		norm2: nn.NewLayerNorm(c.In("norm2"), d, normEpsilon),
		attention: &nn.MultiHead{
			Name: attn.Path(), Heads: cfg.NumHeads,
			Q: linear("q_proj"), K: linear("k_proj"), V: linear("v_proj"), Out: linear("o_proj"),
		},
		mlp: nn.NewMLP(c.In("mlp"), "fc1", "fc2", d, cfg.MLPRatio*d, d, nn.GELUTanh),
	}
}

// apply maps x [B·Q, S, hidden]. Besides each other the tokens attend to those of
// context [B, T, hidden], nil for none. mask is added to the attention scores.
func (b *block) apply(f nn.Pass, x, context, mask *Node) *Node {
	h := b.norm1.Apply(f, x)
	q, k, v := b.attention.Project(f, h, h)
	if context != nil {
		ck, cv := b.attention.KeysAndValues(f, b.norm1.Apply(f, context))
		times := x.Shape().Dim(0) / context.Shape().Dim(0)
		k, v = Concatenate([]*Node{repeat(ck, times), k}, 1), Concatenate([]*Node{repeat(cv, times), v}, 1)
	}
	x = Add(x, b.attention.Output(f, nn.Attention(q, k, v, mask)))
	return Add(x, b.mlp.Apply(f, b.norm2.Apply(f, x)))
}

// repeat repeats every row of the first axis that many times: a a b b c c.
func repeat(x *Node, times int) *Node {
	if times == 1 {
		return x
	}
	d := x.Shape().Dimensions
	x = BroadcastToDims(InsertAxes(x, 1), append([]int{d[0], times}, d[1:]...)...)
	return Reshape(x, append([]int{d[0] * times}, d[1:]...)...)
}
