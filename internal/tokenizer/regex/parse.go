package regex

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a node of a parsed pattern is.
type kind int

const (
	kindSet    kind = iota // one character of set
	kindConcat             // subs in a row
	kindAlt                // one of subs, the first that leads to a match
	kindRepeat             // subs[0] from min to max times
	kindAtomic             // subs[0], never tried in another way once it matched
	kindAhead              // subs[0] matches here, without being consumed; or doesn't, where not is set
)

type node struct {
	kind       kind
	set        *set
	subs       []node
	min, max   int // max -1: no limit
	lazy       bool
	possessive bool
	not        bool
}

const (
	maxPattern = 1 << 16 // bytes
	maxNesting = 64
	maxRepeat  = 1000
	maxStacked = 3 // quantifiers on one item
)

// parser reads a pattern from left to right.
type parser struct {
	in    string
	at    int
	depth int
	fold  bool // inside (?i…)
}

func parse(pattern string) (node, error) {
	p := &parser{in: pattern}
	if len(pattern) > maxPattern || !utf8.ValidString(pattern) {
		return node{}, p.fail("longer than %d bytes or not UTF-8", maxPattern)
	}
	n, err := p.alternatives()
	if err == nil && p.at < len(p.in) {
		err = p.fail("unmatched )")
	}
	return n, err
}

func (p *parser) fail(format string, args ...any) error {
	return fmt.Errorf("%w: %s, at byte %d of %.200q", ErrSyntax, fmt.Sprintf(format, args...), p.at, p.in)
}

// accept consumes prefix if the rest begins with it.
func (p *parser) accept(prefix string) bool {
	ok := strings.HasPrefix(p.in[p.at:], prefix)
	if ok {
		p.at += len(prefix)
	}
	return ok
}

func (p *parser) more() bool { return p.at < len(p.in) }

func (p *parser) next() rune {
	r, size := utf8.DecodeRuneInString(p.in[p.at:])
	p.at += size
	return r
}

// alternatives reads up to a closing parenthesis or the end.
func (p *parser) alternatives() (node, error) {
	if p.depth++; p.depth > maxNesting {
		return node{}, p.fail("nested too deep")
	}
	defer func() { p.depth-- }()
	alt := node{kind: kindAlt}
	for {
		seq := node{kind: kindConcat}
		for p.more() && p.in[p.at] != '|' && p.in[p.at] != ')' {
			n, err := p.repeated()
			if err != nil {
				return node{}, err
			}
			seq.subs = append(seq.subs, n)
		}
		alt.subs = append(alt.subs, seq)
		if !p.accept("|") {
			break
		}
	}
	if len(alt.subs) == 1 {
		return alt.subs[0], nil
	}
	return alt, nil
}

// repeated reads one item and the quantifiers behind it.
func (p *parser) repeated() (node, error) {
	item, err := p.item()
	for stacked := 0; err == nil && p.more(); stacked++ {
		n := node{kind: kindRepeat, subs: []node{item}}
		braces := false
		switch {
		case p.accept("*"):
			n.min, n.max = 0, -1
		case p.accept("+"):
			n.min, n.max = 1, -1
		case p.accept("?"):
			n.min, n.max = 0, 1
		case p.in[p.at] == '{':
			braces = true
			n.min, n.max, err = p.counts()
		default:
			return item, nil
		}
		if err != nil {
			return node{}, err
		}
		switch {
		case stacked == maxStacked:
			return node{}, p.fail("more than %d quantifiers in a row", maxStacked)
		case item.kind == kindAhead || item.canBeEmpty() && n.max < 0:
			return node{}, p.fail("a repeated group that can be empty")
		case p.accept("?"):
			n.lazy = true
		case !braces && p.accept("+"): // after braces Oniguruma takes + for one more quantifier
			n.possessive = true
		}
		item = n
	}
	return item, err
}

// counts reads {m}, {m,}, {m,n} or {,n}.
func (p *parser) counts() (least, most int, err error) {
	end := strings.IndexByte(p.in[p.at:], '}')
	if end < 0 {
		return 0, 0, p.fail("{ without }")
	}
	low, high, ranged := strings.Cut(p.in[p.at+1:p.at+end], ",")
	number := func(s string, empty int) int {
		if s == "" {
			return empty
		}
		n, convErr := strconv.ParseUint(s, 10, 16)
		if convErr != nil || n > maxRepeat {
			err = p.fail("repetition %q", s)
		}
		return int(n)
	}
	least = number(low, 0)
	switch {
	case low == "" && high == "":
		err = p.fail("empty repetition")
	case !ranged:
		most = least
	default:
		most = number(high, -1)
	}
	if err == nil && most >= 0 && most < least {
		err = p.fail("repetition from %d to %d", least, most)
	}
	p.at += end + 1
	return least, most, err
}

// item reads a group, a class or a character.
func (p *parser) item() (node, error) {
	switch r := p.next(); r {
	case '(':
		return p.group()
	case '[':
		s, err := p.bracket()
		return p.one(s), err
	case '.':
		return p.one(&set{ranges: [][2]rune{{'\n', '\n'}}, negated: true}), nil
	case '\\':
		r, has, err := p.escape(false)
		if has != nil {
			return p.one(&set{members: []func(rune) bool{has}}), err
		}
		return p.one(&set{ranges: [][2]rune{{r, r}}}), err
	case '*', '+', '?', '^', '$':
		p.at--
		return node{}, p.fail("%c", r)
	default:
		return p.one(&set{ranges: [][2]rune{{r, r}}}), nil
	}
}

// one is a node for a character of s.
func (p *parser) one(s *set) node {
	if s == nil {
		return node{}
	}
	s.fold = p.fold
	s.freeze()
	return node{kind: kindSet, set: s}
}

// group reads on behind an opening parenthesis.
func (p *parser) group() (node, error) {
	n := node{kind: kindConcat}
	fold := p.fold
	switch {
	case p.accept("?i:"):
		p.fold = true
	case p.accept("?-i:"):
		p.fold = false
	case p.accept("?:"):
	case p.accept("?>"):
		n.kind = kindAtomic
	case p.accept("?="):
		n.kind = kindAhead
	case p.accept("?!"):
		n.kind, n.not = kindAhead, true
	case p.more() && p.in[p.at] == '?':
		return node{}, p.fail("group (%.3s", p.in[p.at:])
	}
	inner, err := p.alternatives()
	if err == nil && !p.accept(")") {
		err = p.fail("( without )")
	}
	p.fold = fold
	n.subs = []node{inner}
	return n, err
}

// canBeEmpty says whether n may match without consuming anything.
func (n node) canBeEmpty() bool {
	switch n.kind {
	case kindSet:
		return false
	case kindRepeat:
		return n.min == 0 || n.subs[0].canBeEmpty()
	case kindAlt:
		for _, s := range n.subs {
			if s.canBeEmpty() {
				return true
			}
		}
		return false
	case kindAhead:
		return true
	}
	for _, s := range n.subs {
		if !s.canBeEmpty() {
			return false
		}
	}
	return true
}
