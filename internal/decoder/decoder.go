package decoder

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// Decoder is a language model with its parameters. They have the names of
// transformers.
type Decoder struct {
	config Config
	words  *nn.Embedding
	layers []*layer
	norm   norm
	head   *nn.Linear // nil without
}

// Span is a stretch of tokens that goes through the model at once.
type Span struct {
	// Embeds are the tokens' vectors [B, S, Hidden], in the dtype to compute in:
	// Embed's for words, already scaled; the caller's own for pictures, as they are.
	Embeds *Node

	// Positions turn queries and keys, int32: [S]; or [1, S] or [3, S] for the
	// axes of m-rope, in the order of Config.Sections; or with the batch, [axes, B, S].
	// One axis given to a model of three stands for all. nil counts on from the
	// places of the Past.
	Positions *Node

	// Groups, int32 [S] or [B, S], let tokens of the same positive number see each
	// other wherever they stand, as those of one picture do in Gemma 3; windows
	// still hold. A group may not reach into another span. nil is for none.
	Groups *Node

	// Valid, bool [S] or [B, S], hides the padding. nil: all tokens are real.
	Valid *Node

	// Checkpoint recomputes each layer's activations in the backward pass instead
	// of keeping them.
	Checkpoint bool
}

// New reads a model without a head, as for encoding text. The cursor stands where
// embed_tokens, layers and norm are, and reports what is wrong with the parameters.
func New(c weights.Cursor, cfg Config) *Decoder {
	m := &Decoder{
		config: cfg,
		words:  nn.NewEmbedding(c.In("embed_tokens"), cfg.Vocabulary, cfg.Hidden),
		norm:   newNorm(c.In("norm"), cfg, cfg.Hidden),
	}
	for i := range cfg.Layers {
		m.layers = append(m.layers, newLayer(c.In("layers", i), cfg, i))
	}
	return m
}

// NewWithHead reads a model that predicts words. head is the cursor of lm_head,
// where nothing is read if the head is tied; checkpoints may carry it anyway.
func NewWithHead(c, head weights.Cursor, cfg Config) *Decoder {
	m := New(c, cfg)
	if cfg.TiedHead {
		m.head = &nn.Linear{Name: head.Path(), Weight: m.words.Weight}
	} else {
		m.head = nn.NewLinearNoBias(head, cfg.Hidden, cfg.Vocabulary)
	}
	return m
}

// Config returns what the model was made from.
func (m *Decoder) Config() Config { return m.config }

// Embed looks up the vectors of words, ids [...] (int32), and scales them where
// the model does: [..., Hidden] in dtype.
//
// The factor is rounded to dtype, as in Google's own code and in transformers 5;
// transformers 4.50 keeps it in full for Gemma 3.
func (m *Decoder) Embed(ids *Node, dtype dtypes.DType) *Node {
	x := ConvertDType(m.words.Apply(ids), dtype)
	if m.config.EmbedScale == 1 {
		return x
	}
	return MulScalar(x, m.config.EmbedScale)
}

// Apply runs the span behind the tokens of past, nil for none. It returns the
// hidden states after the last norm, [B, S, Hidden], and the past for the span
// that comes next.
//
// The probe sees the layers' outputs and the last norm's under transformers' names.
func (m *Decoder) Apply(p *nn.Probe, in Span, past *Past) (hidden *Node, next *Past) {
	m.checkSpan(in)
	f := newPass(m.config, in, past)
	next = f.next()
	x := in.Embeds
	for i, l := range m.layers {
		var k, v *Node
		x, k, v = l.apply(f, x, i)
		next.Keys, next.Values = append(next.Keys, k), append(next.Values, v)
		p.In("layers").See(i, x)
	}
	return p.See("norm", m.norm.Apply(x)), next
}

func (m *Decoder) checkSpan(in Span) {
	s := in.Embeds.Shape()
	if s.Rank() != 3 || s.Dim(2) != m.config.Hidden {
		exceptions.Panicf("decoder: embeds are %s, want [batch, tokens, %d]", s, m.config.Hidden)
	}
}

// Logits maps hidden states [..., Hidden] to float32 [..., Vocabulary], the
// model's soft cap applied. Choose the places whose next words are of interest
// first: a vocabulary is large.
func (m *Decoder) Logits(hidden *Node) *Node {
	if m.head == nil {
		exceptions.Panicf("decoder: the model has no head")
	}
	logits := m.head.Apply(nil, hidden)
	if hidden.DType().IsHalfPrecision() {
		logits = unrounded(logits, hidden, m.head.Weight.NodeValue(hidden))
	}
	return nn.SoftCap(logits, m.config.LogitCap)
}

// unrounded returns logits as float32 sums that were never rounded to half
// precision, where a logit of 20 is 0.06 off and the loss with it. Gradients take
// the way of logits: a product that gives float32 would convert the whole head to
// float32 in the backward pass.
func unrounded(logits, hidden, weight *Node) *Node {
	rounded := ConvertDType(logits, dtypes.Float32)
	exact := Dot(hidden, ConvertDType(weight, hidden.DType())).WithOutputDType(dtypes.Float32).
		General([]int{hidden.Rank() - 1}, nil, []int{1}, nil)
	return Add(StopGradient(exact), Sub(rounded, StopGradient(rounded)))
}
