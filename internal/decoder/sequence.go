package decoder

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/nn"
)

// sequence is a span with what comes before it: what all layers share when the span
// goes through.
type sequence struct {
	in            Span
	past          *Past       // nil without
	rotary        []nn.Rotary // per layer
	masks         []*Node     // per layer, [B or 1, 1, S, T]
	queries, keys *Node       // places in the sequence, int32 [S] and [T]
	valid         *Node       // bool [B, T], nil if all tokens are real
	growth        *Node       // of queries, float32 [1, S, 1, 1], nil without
}

// masked is added to the scores of tokens that a token must not attend to. Where it
// may attend to none, as padding far after a text in a layer with a window, it
// attends to all alike, as in transformers; the number is so large that scores
// vanish in it.
const masked = -1e30

func newSequence(cfg Config, in Span, past *Past) *sequence {
	s := &sequence{in: in, past: past}
	s.check(cfg)
	s.place()
	s.join()
	s.rotary = s.rotaries(cfg)
	s.masks = s.byLayer(cfg)
	if cfg.QueryGrowth != 0 {
		s.growth = s.grow(cfg)
	}
	return s
}

// grow is what queries are multiplied by at their places.
func (s *sequence) grow(cfg Config) *Node {
	steps := Div(s.queries, Const(s.queries.Graph(), int32(cfg.QueryStep))) // of whole numbers, which rounds down
	growth := OnePlus(MulScalar(Log(OnePlus(ConvertDType(steps, dtypes.Float32))), cfg.QueryGrowth))
	return InsertAxes(growth, 0, -1, -1)
}

func (s *sequence) batch() int  { return s.in.Embeds.Shape().Dim(0) }
func (s *sequence) length() int { return s.in.Embeds.Shape().Dim(1) }

func (s *sequence) check(cfg Config) {
	if s.past == nil {
		return
	}
	if len(s.past.Keys) != cfg.Layers || len(s.past.Values) != cfg.Layers {
		exceptions.Panicf("decoder: a past of %d layers, the model has %d", len(s.past.Keys), cfg.Layers)
	}
	if b := s.past.Keys[0].Shape().Dim(0); b != s.batch() {
		exceptions.Panicf("decoder: a past of batch %d, a span of batch %d", b, s.batch())
	}
	if s.past.Used != nil && s.length() != 1 {
		exceptions.Panicf("decoder: %d tokens at once behind a cache", s.length())
	}
	if s.past.Used != nil {
		s.in.Groups = nil // of one token alone
	}
}

// place counts the span's tokens and those that they may attend to.
func (s *sequence) place() {
	g := s.in.Embeds.Graph()
	count := func(n int) *Node { return Iota(g, shapes.Make(dtypes.Int32, n), 0) }
	switch {
	case s.past == nil:
		s.queries, s.keys = count(s.length()), count(s.length())
	case s.past.Used == nil:
		s.queries = AddScalar(count(s.length()), s.past.Len())
		s.keys = count(s.past.Len() + s.length())
	default:
		s.queries = Add(count(s.length()), s.past.Used)
		s.keys = count(s.past.Len())
	}
}

// join finds which of the tokens that may be attended to are real.
func (s *sequence) join() {
	g, span := s.in.Embeds.Graph(), s.real()
	if s.past == nil {
		s.valid = span
		return
	}
	if span == nil {
		if s.past.Valid == nil {
			return
		}
		span = allTrue(g, s.batch(), s.length())
	}
	before := s.past.Valid
	if before == nil {
		before = allTrue(g, s.batch(), s.past.Len())
	}
	s.valid = s.write(before, span)
}

// real says which tokens of the span are no padding, bool [B, S]; nil if all are.
func (s *sequence) real() *Node {
	if s.in.Valid == nil {
		return nil
	}
	return BroadcastToDims(ExpandLeftToRank(s.in.Valid, 2), s.batch(), s.length())
}

// write puts the span's x [B, S, ...] after those before, [B, T, ...].
func (s *sequence) write(before, x *Node) *Node {
	if s.past.Used == nil {
		return Concatenate([]*Node{before, x}, 1)
	}
	// A choice and not DynamicUpdateSlice, which the pure Go backend lacks. Either
	// copies the cache: it is an input and an output.
	dims := before.Shape().Dimensions
	here := InsertAxes(Equal(s.keys, s.queries), 0) // [1, T]
	for range len(dims) - 2 {
		here = InsertAxes(here, -1)
	}
	return Where(BroadcastToDims(here, dims...), BroadcastToDims(x, dims...), before)
}

// extend returns all keys and values that the span's tokens may attend to in layer i.
func (s *sequence) extend(k, v *Node, i int) (*Node, *Node) {
	if s.past == nil {
		return k, v
	}
	return s.write(s.past.Keys[i], k), s.write(s.past.Values[i], v)
}

// next returns the past for the span that follows, yet without keys and values.
func (s *sequence) next() *Past {
	p := &Past{Valid: s.valid}
	if s.past != nil && s.past.Used != nil {
		p.Used = AddScalar(s.past.Used, s.length())
	}
	return p
}

// byLayer returns the mask of each layer, made once per window.
func (s *sequence) byLayer(cfg Config) []*Node {
	byWindow := map[int]*Node{}
	masks := make([]*Node, cfg.Layers)
	for i, window := range cfg.Windows {
		if window >= s.keys.Shape().Dim(0) {
			window = 0 // it reaches all tokens
		}
		if byWindow[window] == nil {
			byWindow[window] = s.mask(window)
		}
		masks[i] = byWindow[window]
	}
	return masks
}

// mask is what is added to the scores in a layer with a window, 0 for none.
func (s *sequence) mask(window int) *Node {
	queries, keys := InsertAxes(s.queries, 0, -1), InsertAxes(s.keys, 0, 0) // [1, S, 1], [1, 1, T]
	attended := LessOrEqual(keys, queries)
	if s.in.Groups != nil {
		attended = LogicalOr(attended, s.grouped())
	}
	if window > 0 {
		attended = LogicalAnd(attended, GreaterThan(keys, AddScalar(queries, -window)))
	}
	if s.valid != nil {
		attended = LogicalAnd(attended, InsertAxes(s.valid, 1))
	}
	g := attended.Graph()
	return InsertAxes(Where(attended, Const(g, float32(0)), Const(g, float32(masked))), 1)
}

// grouped says which tokens are of one group, bool [B or 1, S, T].
func (s *sequence) grouped() *Node {
	own := ExpandLeftToRank(s.in.Groups, 2)
	all := InsertAxes(nn.PadZeros(own, s.past.Len(), 0, 1), 1)
	same := Equal(InsertAxes(own, -1), all)
	return LogicalAnd(same, GreaterThan(all, ZerosLike(all)))
}
