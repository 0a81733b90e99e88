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
	name   string
	config Config
	words  *nn.Embedding
	layers []*layer
	norm   nn.Layer   // nil without
	head   *nn.Linear // nil without
}

// Span is a stretch of tokens that goes through the model at once.
type Span struct {
	// Embeds are the tokens' vectors [B, S, Hidden], in the dtype to compute in:
	// Embed's for words, already scaled; the caller's own for pictures, as they are.
	Embeds *Node

	// Positions for the rotary embedding, int32: [S]; or [1, S] or [3, S] for the
	// axes of m-rope, in the order of Config.Sections; or with the batch, [axes, B, S].
	// One axis given to a model of three stands for all. nil counts on from the
	// places of the Past.
	Positions *Node

	// Groups, int32 [S] or [B, S], let tokens of the same positive number attend to
	// each other wherever they stand, as those of one picture do in Gemma 3; windows
	// still hold. A group may not reach into another span. nil is for none.
	Groups *Node

	// Deep are vectors [B, S, Hidden] that are added to the outputs of the first
	// layers, one to each (DeepStack): zeros but for the tokens of pictures.
	Deep []*Node

	// Valid, bool [S] or [B, S], is false for padding, which is masked. nil: all
	// tokens are real.
	Valid *Node
}

// New reads a model without a head, as for encoding text. The cursor stands where
// embed_tokens, layers and norm are, and reports what is wrong with the parameters.
func New(c weights.Cursor, cfg Config) *Decoder {
	m := newLayers(c, cfg)
	m.norm = newNorm(c.In("norm"), cfg, cfg.Hidden)
	return m
}

// newLayers reads all but what follows the layers.
func newLayers(c weights.Cursor, cfg Config) *Decoder {
	m := &Decoder{name: c.Path(), config: cfg, words: nn.NewEmbedding(c.In("embed_tokens"), cfg.Vocabulary, cfg.Hidden)}
	m.words.Scale = cfg.EmbedScale
	for i := range cfg.Layers {
		m.layers = append(m.layers, newLayer(c.In("layers", i), cfg, i))
	}
	return m
}

// NewWithHead reads a model that predicts tokens. head is the cursor of lm_head,
// where nothing is read if the head is tied; checkpoints may carry it anyway.
func NewWithHead(c, head weights.Cursor, cfg Config) *Decoder {
	m := New(c, cfg)
	if cfg.TiedHead {
		m.head = &nn.Linear{Name: head.Path(), Weight: m.words.Weight}
	} else {
		m.head = nn.NewLinear(head, cfg.Hidden, cfg.Vocabulary, nn.NoBias)
	}
	return m
}

// Name is the model's place in the checkpoint, where the names of its modules begin.
func (m *Decoder) Name() string { return m.name }

// Config returns what the model was made from.
func (m *Decoder) Config() Config { return m.config }

// Embed looks up the embeddings of tokens, ids [...] (int32), and scales them where
// the model does: [..., Hidden] in dtype.
//
// The factor is rounded to dtype, as in Google's own code and in transformers 5;
// transformers 4.50 keeps it in full for Gemma 3.
func (m *Decoder) Embed(f nn.Pass, ids *Node, dtype dtypes.DType) *Node {
	return m.words.Apply(f, ids, dtype)
}

// Apply runs the span that follows the tokens of past, nil for none. It returns the
// hidden states after the last norm, [B, S, Hidden], and the past for the span
// that comes next. Under Checkpoint each layer's activations are recomputed.
func (m *Decoder) Apply(f nn.Pass, in Span, past *Past) (hidden *Node, next *Past) {
	if m.norm == nil {
		exceptions.Panicf("decoder: the model has no last norm; see NewFirst")
	}
	states, next := m.run(f, in, past, len(m.layers))
	return m.norm.Apply(f, states[len(m.layers)]), next
}

// run runs the first n layers. It returns the hidden states before each and behind
// the last.
func (m *Decoder) run(f nn.Pass, in Span, past *Past, n int) (states []*Node, next *Past) {
	m.checkSpan(in)
	s := newSequence(m.config, in, past)
	next = s.next()
	x := in.Embeds
	states = append(states, x)
	for i, l := range m.layers[:n] {
		var k, v *Node
		x, k, v = l.apply(f, s, i, x)
		if i < len(in.Deep) {
			x = Add(x, in.Deep[i])
		}
		states = append(states, x)
		next.Keys, next.Values = append(next.Keys, k), append(next.Values, v)
	}
	return states, next
}

func (m *Decoder) checkSpan(in Span) {
	s := in.Embeds.Shape()
	if s.Rank() != 3 || s.Dim(2) != m.config.Hidden {
		exceptions.Panicf("decoder: embeds are %s, want [batch, tokens, %d]", s, m.config.Hidden)
	}
	if len(in.Deep) > m.config.Layers {
		exceptions.Panicf("decoder: vectors for %d layers, the model has %d", len(in.Deep), m.config.Layers)
	}
	for _, x := range in.Deep {
		if !x.Shape().Equal(s) {
			exceptions.Panicf("decoder: vectors for a layer are %s, want %s as embeds", x.Shape(), s)
		}
	}
}

// Logits maps hidden states [..., Hidden] to float32 [..., Vocabulary], the
// model's soft cap applied. Pick out the tokens whose successors are of
// interest first: a vocabulary is large.
func (m *Decoder) Logits(f nn.Pass, hidden *Node) *Node {
	if m.head == nil {
		exceptions.Panicf("decoder: the model has no head")
	}
	logits := m.head.Apply(f, hidden)
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
