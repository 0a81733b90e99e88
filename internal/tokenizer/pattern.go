package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// pattern is what a Split or a Replace looks for: a string, or a regular expression in the syntax of Oniguruma, the
// engine of Hugging Face's library, which is translated to Go's.
type pattern struct {
	re *regexp.Regexp
	// lookAhead says that the expression has the look-ahead that tokenizers use, \s+(?!\S)|\s+. Go has none: the
	// translation is the group (\s+), whose matches findAll corrects.
	lookAhead bool
}

const (
	maxPattern = 4096    // bytes
	maxProgram = 1 << 20 // bytes, about: Go writes out repetitions, and the ranges of every class
)

// UnmarshalJSON reads {"String": "…"} or {"Regex": "…"}.
func (p *pattern) UnmarshalJSON(raw []byte) error {
	var kinds map[string]string
	if err := json.Unmarshal(raw, &kinds); err != nil {
		return err
	}
	literal, expression := kinds["String"], kinds["Regex"]
	switch {
	case len(kinds) != 1 || literal == "" && expression == "":
		return errors.New("neither a String nor a Regex")
	case len(literal+expression) > maxPattern:
		return fmt.Errorf("longer than %d bytes", maxPattern)
	case literal != "":
		*p = literally(literal)
		return nil
	}
	var err error
	*p, err = compile(expression)
	return err
}

// literally is the pattern that finds text.
func literally(text string) pattern { return pattern{re: regexp.MustCompile(regexp.QuoteMeta(text))} }

// compile translates an expression. The error wraps ErrUnsupported and quotes the expression.
func compile(expression string) (pattern, error) {
	translated, lookAhead, err := translate(expression)
	p := pattern{lookAhead: lookAhead}
	if err == nil {
		p.re, err = compileBounded(translated)
	}
	if err == nil && lookAhead && p.re.MatchString("") {
		err = errors.New("the look-ahead beside an alternative that can be empty")
	}
	if err != nil {
		return pattern{}, fmt.Errorf("%w: regular expression %q: %w", ErrUnsupported, expression, err)
	}
	return p, nil
}

// mustCompile translates an expression of this package's own.
func mustCompile(expression string) pattern {
	p, err := compile(expression)
	if err != nil {
		panic(err)
	}
	return p
}

// compileBounded compiles an expression of Go's, unless its program would be large.
func compileBounded(expression string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	size := 0
	for _, i := range program.Inst {
		size += 40 + 4*len(i.Rune)
	}
	if size > maxProgram {
		return nil, errors.New("too large")
	}
	return regexp.Compile(expression)
}

// findAll returns the start and end of each match in text, from left to right and without overlap.
//
// Where the look-ahead's group matched, it took all the white space there was. \s+(?!\S) leaves the last character of
// it alone where something follows, and the alternative \s+ after it takes a single one.
func (p pattern) findAll(text string) [][]int {
	if !p.lookAhead {
		return p.re.FindAllStringIndex(text, -1)
	}
	var hits [][]int
	for from := 0; from < len(text); {
		hit := p.re.FindStringSubmatchIndex(text[from:])
		if hit == nil {
			break
		}
		start, end := from+hit[0], from+hit[1]
		if blank := hit[2] >= 0; blank && end < len(text) {
			if _, last := utf8.DecodeLastRuneInString(text[start:end]); start < end-last {
				end -= last
			}
		}
		hits = append(hits, []int{start, end})
		from = end
	}
	return hits
}
