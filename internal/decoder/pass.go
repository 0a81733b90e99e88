package decoder

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"
)

// pass is what all layers share when a span goes through.
type pass struct {
	in            Span
	past          *Past   // nil without
	rotary        []turn  // per layer
	bias          []*Node // per layer, [B or 1, 1, S, T]
	queries, keys *Node   // places in the sequence, int32 [S] and [T]
	valid         *Node   // bool [B, T], nil if all tokens are real
}

// hiddenBias is added to the scores of tokens that a token must not see. Where it sees
// none, as padding far behind a text may in a layer with a window, it attends to
// all alike, as in transformers; the number is so large that scores vanish in it.
const hiddenBias = -1e30

func newPass(cfg Config, in Span, past *Past) *pass {
	f := &pass{in: in, past: past}
	f.check(cfg)
	f.place()
	f.join()
	f.rotary = f.turns(cfg)
	f.bias = f.masks(cfg)
	return f
}

func (f *pass) batch() int  { return f.in.Embeds.Shape().Dim(0) }
func (f *pass) length() int { return f.in.Embeds.Shape().Dim(1) }

func (f *pass) check(cfg Config) {
	if f.past == nil {
		return
	}
	if len(f.past.Keys) != cfg.Layers || len(f.past.Values) != cfg.Layers {
		exceptions.Panicf("decoder: a past of %d layers, the model has %d", len(f.past.Keys), cfg.Layers)
	}
	if b := f.past.Keys[0].Shape().Dim(0); b != f.batch() {
		exceptions.Panicf("decoder: a past of batch %d, a span of batch %d", b, f.batch())
	}
	if f.past.Used != nil && f.length() != 1 {
		exceptions.Panicf("decoder: %d tokens at once behind a cache", f.length())
	}
	if f.past.Used != nil {
		f.in.Groups = nil // of one token alone
	}
}

// place counts the span's tokens and those that they may see.
func (f *pass) place() {
	g := f.in.Embeds.Graph()
	count := func(n int) *Node { return Iota(g, shapes.Make(dtypes.Int32, n), 0) }
	switch {
	case f.past == nil:
		f.queries, f.keys = count(f.length()), count(f.length())
	case f.past.Used == nil:
		f.queries = AddScalar(count(f.length()), f.past.Len())
		f.keys = count(f.past.Len() + f.length())
	default:
		f.queries = Add(count(f.length()), f.past.Used)
		f.keys = count(f.past.Len())
	}
}

// join finds which of the tokens that may be seen are real.
func (f *pass) join() {
	g, span := f.in.Embeds.Graph(), f.in.Valid
	if span != nil {
		span = BroadcastToDims(ExpandLeftToRank(span, 2), f.batch(), f.length())
	}
	if f.past == nil {
		f.valid = span
		return
	}
	if span == nil {
		if f.past.Valid == nil {
			return
		}
		span = allTrue(g, f.batch(), f.length())
	}
	before := f.past.Valid
	if before == nil {
		before = allTrue(g, f.batch(), f.past.Len())
	}
	f.valid = f.write(before, span)
}

// write puts the span's x [B, S, ...] behind those before, [B, T, ...].
func (f *pass) write(before, x *Node) *Node {
	if f.past.Used == nil {
		return Concatenate([]*Node{before, x}, 1)
	}
	// A choice and not DynamicUpdateSlice, which the pure Go backend lacks. Either
	// copies the cache: it is an input and an output.
	dims := before.Shape().Dimensions
	here := InsertAxes(Equal(f.keys, f.queries), 0) // [1, T]
	for range len(dims) - 2 {
		here = InsertAxes(here, -1)
	}
	return Where(BroadcastToDims(here, dims...), BroadcastToDims(x, dims...), before)
}

// extend returns all keys and values that the span's tokens may see in layer i.
func (f *pass) extend(k, v *Node, i int) (*Node, *Node) {
	if f.past == nil {
		return k, v
	}
	return f.write(f.past.Keys[i], k), f.write(f.past.Values[i], v)
}

// next returns the past for the span that follows, yet without keys and values.
func (f *pass) next() *Past {
	p := &Past{Valid: f.valid}
	if f.past != nil && f.past.Used != nil {
		p.Used = AddScalar(f.past.Used, f.length())
	}
	return p
}

// masks returns what is added to the scores of each layer, made once per window.
func (f *pass) masks(cfg Config) []*Node {
	byWindow := map[int]*Node{}
	masks := make([]*Node, cfg.Layers)
	for i, window := range cfg.Windows {
		if window >= f.keys.Shape().Dim(0) {
			window = 0 // wide enough to see everything
		}
		if byWindow[window] == nil {
			byWindow[window] = f.mask(window)
		}
		masks[i] = byWindow[window]
	}
	return masks
}

func (f *pass) mask(window int) *Node {
	queries, keys := InsertAxes(f.queries, 0, -1), InsertAxes(f.keys, 0, 0) // [1, S, 1], [1, 1, T]
	seen := LessOrEqual(keys, queries)
	if f.in.Groups != nil {
		seen = LogicalOr(seen, f.grouped())
	}
	if window > 0 {
		seen = LogicalAnd(seen, GreaterThan(keys, AddScalar(queries, -window)))
	}
	if f.valid != nil {
		seen = LogicalAnd(seen, InsertAxes(f.valid, 1))
	}
	g := seen.Graph()
	return InsertAxes(Where(seen, Const(g, float32(0)), Const(g, float32(hiddenBias))), 1)
}

// grouped says which tokens are of one group, bool [B or 1, S, T].
func (f *pass) grouped() *Node {
	own := ExpandLeftToRank(f.in.Groups, 2)
	all := own
	if before := f.past.Len(); before > 0 {
		none := Zeros(own.Graph(), shapes.Make(own.DType(), own.Shape().Dim(0), before))
		all = Concatenate([]*Node{none, own}, 1)
	}
	all = InsertAxes(all, 1)
	same := Equal(InsertAxes(own, -1), all)
	return LogicalAnd(same, GreaterThan(all, ZerosLike(all)))
}
