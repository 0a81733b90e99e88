package regex

import (
	"fmt"
	"slices"
	"unicode"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer/uni"
)

// set is a set of characters.
type set struct {
	ascii   [2]uint64 // the answer for ASCII, worked out by freeze
	ranges  [][2]rune
	members []func(rune) bool
	negated bool
	fold    bool // letters stand for their other cases as well
}

func single(r rune) *set {
	s := &set{ranges: [][2]rune{{r, r}}}
	s.freeze()
	return s
}

// freeze prepares s for use; it must not change any more.
func (s *set) freeze() {
	for r := rune(0); r < 128; r++ {
		if s.slow(r) {
			s.ascii[r/64] |= 1 << (r % 64)
		}
	}
}

// has says whether r is a member.
func (s *set) has(r rune) bool {
	if r < 128 {
		return s.ascii[r/64]>>(r%64)&1 == 1
	}
	return s.slow(r)
}

func (s *set) slow(r rune) bool {
	in := s.lists(r)
	if s.fold {
		// ſ is an s, K a k; characters that fold to two (ß to ss) are not looked for.
		for f := unicode.SimpleFold(r); f != r && !in; f = unicode.SimpleFold(f) {
			in = s.lists(f)
		}
	}
	return in != s.negated
}

func (s *set) lists(r rune) bool {
	for _, x := range s.ranges {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return slices.ContainsFunc(s.members, func(has func(rune) bool) bool { return has(r) })
}

// class knows the escapes that stand for a set, lower case for its members and upper case for all others.
func class(letter rune, bracketed bool) (func(rune) bool, bool) {
	var has func(rune) bool
	lower := unicode.ToLower(letter)
	switch lower {
	case 's':
		has = uni.IsSpace
	case 'd':
		nd, _ := uni.CategoryOf("Nd")
		has = nd.Has
	case 'w':
		has = isLoneWord
		if bracketed {
			has = isWord
		}
	case 'h':
		has = func(r rune) bool { return r < 128 && unicode.Is(unicode.ASCII_Hex_Digit, r) }
	default:
		return nil, false
	}
	if letter != lower {
		return not(has), true
	}
	return has, true
}

func not(has func(rune) bool) func(rune) bool { return func(r rune) bool { return !has(r) } }

// isWord is Oniguruma's \w within brackets: Rust's without Join_Control.
func isWord(r rune) bool { return r != '\u200c' && r != '\u200d' && uni.IsWord(r) }

// isLoneWord is \w outside brackets, where Oniguruma consults another table for Latin-1.
func isLoneWord(r rune) bool {
	switch r {
	case '²', '³', '¹', '¼', '½', '¾':
		return true
	}
	return isWord(r)
}

// property is what stands in \p{…}: a general category, or ^ and one.
func property(name string) (func(rune) bool, error) {
	inverted := len(name) > 0 && name[0] == '^'
	if inverted {
		name = name[1:]
	}
	c, ok := uni.CategoryOf(name)
	if !ok {
		return nil, fmt.Errorf("property %q", name)
	}
	if inverted {
		return not(c.Has), nil
	}
	return c.Has, nil
}
