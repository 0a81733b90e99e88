// Package regex runs the regular expressions of tokenizer files: the part of Oniguruma's syntax that they use, with
// Oniguruma's meaning, which is also Perl's.
//
// Go's regexp can't serve, as it has no look-ahead ("\s+(?!\S)", in nearly every byte-level tokenizer), takes \s for
// ASCII and knows another version of Unicode. A backtracking engine can be led into exponential work by a hostile
// pattern, so a search has a budget of steps in proportion to its text and fails with [ErrBudget] beyond it; the
// patterns in use need at most a tenth of it.
package regex

import (
	"errors"
	"unicode/utf8"
)

var (
	// ErrSyntax says that a pattern is malformed or uses something that this package doesn't have.
	ErrSyntax = errors.New("unsupported regular expression")
	// ErrBudget says that a search took more steps than a sound pattern would.
	ErrBudget = errors.New("regular expression takes too long")
)

// Regexp is a compiled pattern. It may be used by many goroutines.
type Regexp struct {
	program []instruction
}

// Compile parses a pattern. The error wraps ErrSyntax and names the byte of the pattern where the trouble is.
func Compile(pattern string) (*Regexp, error) {
	n, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	program, err := compile(n)
	if err != nil {
		return nil, err
	}
	return &Regexp{program}, nil
}

// Literal returns a pattern that matches text and nothing else; text must not be empty.
func Literal(text string) *Regexp {
	var n node
	for _, r := range text {
		n.subs = append(n.subs, node{kind: kindSet, set: single(r), min: 1, max: 1})
	}
	n.kind = kindConcat
	program, _ := compile(n) // a sequence of characters always compiles, whatever its length
	return &Regexp{program}
}

// FindAll returns the start and end of each match in text, which must be UTF-8, from left to right and without
// overlap. An empty match is taken, except directly after the match before it. The error is ErrBudget.
func (re *Regexp) FindAll(text string) ([][2]int, error) {
	const stepsPerByte, steps = 300, 100_000
	m := machine{program: re.program, text: text, budget: steps + stepsPerByte*len(text)}
	var out [][2]int
	last := -1 // end of the last match
	for from := 0; from <= len(text); {
		start, end := m.search(from)
		switch {
		case m.budget < 0:
			return nil, ErrBudget
		case start < 0:
			return out, nil
		case start == end && end == last:
			_, size := utf8.DecodeRuneInString(text[from:])
			from += max(size, 1)
		default:
			out = append(out, [2]int{start, end})
			from, last = end, end
		}
	}
	return out, nil
}
