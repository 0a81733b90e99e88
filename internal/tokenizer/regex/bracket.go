package regex

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// bracket reads on behind an opening bracket: [abc], [a-z], [^\s\p{L}]. Sets within sets and their intersection are
// refused.
func (p *parser) bracket() (*set, error) {
	s := &set{negated: p.accept("^")}
	for first := true; ; first = false {
		switch {
		case !p.more():
			return nil, p.fail("[ without ]")
		case p.in[p.at] == ']' && !first:
			p.at++
			return s, nil
		case p.in[p.at] == ']' || p.in[p.at] == '[' || strings.HasPrefix(p.in[p.at:], "&&"):
			return nil, p.fail("%q within brackets", p.in[p.at])
		}
		low, has, err := p.bracketItem()
		if err != nil {
			return nil, err
		}
		if has != nil {
			s.members = append(s.members, has)
			continue
		}
		high := low
		if strings.HasPrefix(p.in[p.at:], "-") && !strings.HasPrefix(p.in[p.at:], "-]") {
			p.at++
			if !p.more() {
				return nil, p.fail("[ without ]")
			}
			if high, has, err = p.bracketItem(); err != nil {
				return nil, err
			}
			if has != nil || high < low {
				return nil, p.fail("range in brackets")
			}
		}
		s.ranges = append(s.ranges, [2]rune{low, high})
	}
}

// bracketItem reads a character, or an escape that stands for a set.
func (p *parser) bracketItem() (rune, func(rune) bool, error) {
	if p.accept(`\`) {
		return p.escape(true)
	}
	return p.next(), nil, nil
}

// escape reads on behind a backslash. It returns a character, or a function for a set of characters.
func (p *parser) escape(bracketed bool) (rune, func(rune) bool, error) {
	if !p.more() {
		return 0, nil, p.fail(`\ at the end`)
	}
	r := p.next()
	if has, ok := class(r, bracketed); ok {
		return 0, has, nil
	}
	switch r {
	case 'p', 'P':
		return p.property(r == 'P')
	case 'n':
		return '\n', nil, nil
	case 'r':
		return '\r', nil, nil
	case 't':
		return '\t', nil, nil
	case 'f':
		return '\f', nil, nil
	case 'v':
		return '\v', nil, nil
	case 'x':
		if p.accept("{") {
			return p.hex(strings.IndexByte(p.in[p.at:], '}'), 1)
		}
		return p.hex(2, 0)
	case 'u':
		return p.hex(4, 0)
	}
	if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return 0, nil, p.fail(`\%c`, r)
	}
	return r, nil, nil
}

// hex reads a code point of so many hexadecimal digits and then skips as many bytes as skip says.
func (p *parser) hex(digits, skip int) (rune, func(rune) bool, error) {
	if digits < 1 || p.at+digits+skip > len(p.in) {
		return 0, nil, p.fail("code point")
	}
	n, err := strconv.ParseUint(p.in[p.at:p.at+digits], 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) || n > unicode.MaxRune || digits == 2 && skip == 0 && n > 0x7f {
		return 0, nil, p.fail("code point") // beyond 7f Oniguruma takes \xHH for a byte
	}
	p.at += digits + skip
	return rune(n), nil, nil
}

// property reads on behind \p or \P.
func (p *parser) property(inverted bool) (rune, func(rune) bool, error) {
	end := strings.IndexByte(p.in[p.at:], '}')
	if !strings.HasPrefix(p.in[p.at:], "{") || end < 0 {
		return 0, nil, p.fail("property without braces")
	}
	has, err := property(p.in[p.at+1 : p.at+end])
	if err != nil {
		return 0, nil, p.fail("%v", err)
	}
	p.at += end + 1
	if inverted {
		has = not(has)
	}
	return 0, has, nil
}
