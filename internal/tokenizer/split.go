package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// span is a stretch of a text; hit says that a pattern matched it. The spans of a text cover it without gaps.
type span struct {
	start, end int
	hit        bool
}

// finder cuts a text into spans; neighbours that didn't match are one span.
type finder func(text string) []span

// inverted makes hits of what f misses.
func (f finder) inverted() finder {
	return func(text string) []span {
		spans := f(text)
		for i := range spans {
			spans[i].hit = !spans[i].hit
		}
		return spans
	}
}

// findRunes hits each character that is asks for, one by one.
func findRunes(is func(rune) bool) finder {
	return func(text string) []span {
		var b spanner
		for i, r := range text {
			if is(r) {
				b.hit(i, i+utf8.RuneLen(r))
			}
		}
		return b.done(text)
	}
}

// findPattern hits what p matches.
func findPattern(p pattern) finder {
	return func(text string) []span {
		var b spanner
		for _, h := range p.findAll(text) {
			b.hit(h[0], h[1])
		}
		return b.done(text)
	}
}

// findWords hits what lies between words and runs of other visible characters, that is white space: the pattern
// \w+|[^\w\s]+, inverted.
func findWords(text string) []span {
	const space, word, other = 0, 1, 2
	var out []span
	last := -1
	for i, r := range text {
		class := other
		switch {
		case isWord(r):
			class = word
		case unicode.IsSpace(r):
			class = space
		}
		if class != last {
			out = append(out, span{start: i, hit: class == space})
		}
		out[len(out)-1].end = i + utf8.RuneLen(r)
		last = class
	}
	return out
}

// spanner collects hits in ascending order and fills the gaps.
type spanner struct {
	spans []span
	from  int
}

func (b *spanner) hit(start, end int) {
	if b.from < start {
		b.spans = append(b.spans, span{b.from, start, false})
	}
	b.spans = append(b.spans, span{start, end, true})
	b.from = end
}

func (b *spanner) done(text string) []span {
	if b.from < len(text) {
		b.spans = append(b.spans, span{b.from, len(text), false})
	}
	return b.spans
}

// behavior is what becomes of the hits.
type behavior int

const (
	isolated           behavior = iota // every span is a piece
	removed                            // hits are dropped
	mergedWithPrevious                 // a hit ends the piece before it
	mergedWithNext                     // a hit begins the piece after it
	contiguous                         // neighbouring hits are one piece
)

// UnmarshalJSON reads the name of a behavior.
func (b *behavior) UnmarshalJSON(raw []byte) error {
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return err
	}
	*b = behavior(slices.Index([]string{"Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"}, name))
	if *b < 0 {
		return fmt.Errorf("%w: %q", ErrUnsupported, name)
	}
	return nil
}

// arrange turns the spans of a text into its pieces. A second hit in a row is a piece of its own, also where hits
// merge with a neighbour.
func (b behavior) arrange(spans []span) []span {
	switch b {
	case removed:
		return slices.DeleteFunc(spans, func(s span) bool { return s.hit })
	case contiguous:
		return joinSpans(spans, func(a, b span) bool { return a.hit == b.hit })
	case mergedWithPrevious:
		return joinSpans(spans, func(a, b span) bool { return !a.hit && b.hit })
	case mergedWithNext:
		return joinSpans(spans, func(a, b span) bool { return a.hit && !b.hit })
	}
	return spans
}

// joinSpans joins neighbours a, b of which together(a, b) holds. The joined span counts as b.
func joinSpans(spans []span, together func(a, b span) bool) []span {
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && together(out[n-1], s) {
			s.start = out[n-1].start
			out = out[:n-1]
		}
		out = append(out, s)
	}
	return out
}
