package tokenizer

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// The classes of characters that Oniguruma's escapes mean, written for Go's brackets: white space is Unicode's, not
// ASCII's, and so are the letters, marks, digits and connectors of \w. Outside brackets \w has six characters more.
const (
	spaceClass = `\p{Zs}\t-\r\x{85}\p{Zl}\p{Zp}`
	wordClass  = `\p{L}\p{M}\p{Nl}Ⓐ-ⓩ🄰-🅉🅐-🅩🅰-🆉\p{Nd}\p{Pc}`
	loneClass  = wordClass + `²³¹¼½¾`
)

var (
	classes = map[string]string{
		`\s`: `[` + spaceClass + `]`, `\S`: `[^` + spaceClass + `]`,
		`\w`: `[` + loneClass + `]`, `\W`: `[^` + loneClass + `]`,
		`\d`: `\p{Nd}`, `\D`: `\P{Nd}`,
	}
	// bracketClasses may stand within brackets. \S and \W may not: Go can't write the complement of a union there.
	bracketClasses = map[string]string{`\s`: spaceClass, `\w`: wordClass, `\d`: `\p{Nd}`, `\D`: `\P{Nd}`}
)

// The syntax that can be translated. Left out, and so refused, are anchors, sets within sets, every group but (…),
// (?:…), (?i:…) and (?-i:…), references, {,n}, and a + or ? after {n}, which has a meaning of Oniguruma's own.
const (
	lookAheadSyntax  = `\\s\+\(\?!\\S\)\|\\s\+?`
	escapeSyntax     = `\\(?:[pP]\{[^{}]*\}|x\{[0-9A-Fa-f]+\}|x[0-7][0-9A-Fa-f]|u[0-9A-Fa-f]{4}|[swdDnrtfv]|[^0-9A-Za-z])`
	bracketSyntax    = `\[\^?(?:[^\[\]\\]|` + escapeSyntax + `)+\]`
	otherSyntax      = `[^\\\[({^$*+?]|\(\?-?i:|\(\?:|\(` // a character, or a part of the structure
	quantifierSyntax = `[*+?][?+]?|\{\d+\}|\{\d+,\d*\}\??`
)

var (
	escapes = regexp.MustCompile(escapeSyntax)
	// terms takes the first term off an expression, with its quantifier.
	terms = regexp.MustCompile(`^(?:(` + lookAheadSyntax + `)|(` + bracketSyntax + `)|(\\[SW]|` + escapeSyntax + `)|(` + otherSyntax +
		`))(` + quantifierSyntax + `)?`)
)

// term is a set of characters, a part of the structure ("(?:", "|", ")") or the look-ahead, in Go's syntax.
type term struct{ text, quantifier string }

// lookAheadTerm is white space in a group, for findAll to know it by.
const lookAheadTerm = `([` + spaceClass + `]+)`

// translate writes an expression in Go's syntax, and says whether it has the look-ahead. What Go understands otherwise
// than Oniguruma is an error; what Go refuses, Go will refuse.
func translate(expression string) (translated string, lookAhead bool, err error) {
	all, err := splitTerms(expression)
	if err != nil {
		return "", false, err
	}
	const maxGroups = 16
	var out strings.Builder
	var open []int // groups, by where they begin in out
	for i, t := range all {
		switch {
		case t.text == lookAheadTerm:
			if len(open) > 0 || t.quantifier != "" || i > 0 && all[i-1].text != "|" || i+1 < len(all) && all[i+1].text != "|" {
				return "", false, errors.New("the look-ahead is not an alternative of its own")
			}
			lookAhead = true
		case t.text[0] == '(':
			if open = append(open, out.Len()); len(open) > maxGroups {
				return "", false, fmt.Errorf("more than %d groups in groups", maxGroups)
			}
		case t.text == ")" && len(open) > 0:
			if err := checkRepeated(out.String()[open[len(open)-1]:]+")", t.quantifier); err != nil {
				return "", false, err
			}
			open = open[:len(open)-1]
		}
		greedy, possessive := strings.CutSuffix(t.quantifier, "+")
		if possessive && greedy != "" {
			if len(open) > 0 || !neverGivesBack(all[i:]) {
				return "", false, fmt.Errorf("possessive quantifier %s", t.quantifier)
			}
			t.quantifier = greedy
		}
		out.WriteString(t.text + t.quantifier)
	}
	return out.String(), lookAhead, nil
}

// splitTerms translates the terms of an expression one by one.
func splitTerms(expression string) ([]term, error) {
	var all []term
	for rest := expression; rest != ""; {
		m := terms.FindStringSubmatch(rest)
		if m == nil || strings.Contains(m[2], "&&") {
			return nil, fmt.Errorf("not understood from %.20q on", rest)
		}
		lookAhead, bracket, escape, other := m[1], m[2], m[3], m[4]
		t := term{escape + other, m[5]}
		switch {
		case lookAhead != "":
			t.text = lookAheadTerm
		case bracket != "":
			t.text = escapes.ReplaceAllStringFunc(bracket, func(e string) string { return translateEscape(e, bracketClasses) })
		case escape != "":
			t.text = translateEscape(escape, classes)
		case other == "(":
			t.text = "(?:"
		}
		all = append(all, t)
		rest = rest[len(m[0]):]
	}
	return all, nil
}

// translateEscape writes an escape in Go's syntax.
func translateEscape(escape string, classes map[string]string) string {
	if class, ok := classes[escape]; ok {
		return class
	}
	if digits, ok := strings.CutPrefix(escape, `\u`); ok {
		return `\x{` + digits + `}`
	}
	return escape
}

// checkRepeated refuses to repeat a group that can be empty: when the engines stop doing so differs.
func checkRepeated(group, quantifier string) error {
	if quantifier == "" || quantifier[0] == '?' {
		return nil
	}
	re, err := compileBounded(group)
	if err == nil && re.MatchString("") {
		err = errors.New("a repeated group can be empty")
	}
	return err
}

// neverGivesBack says whether the possessive quantifier of the first term may be written as a greedy one: if no term
// that could match next, up to the end of the alternative, has a character of the first one's, then matching less of
// them never leads anywhere.
func neverGivesBack(all []term) bool {
	held := characters(all[0].text)
	if held == nil {
		return false
	}
	for _, next := range all[1:] {
		if next.text == "|" {
			return true
		}
		theirs := characters(next.text)
		if theirs == nil || overlap(held, theirs) {
			return false
		}
		if required := next.quantifier == "" || next.quantifier[0] == '+'; required {
			return true
		}
	}
	return true
}

// characters returns the ranges of a term that matches one character, as pairs; nil for any other term.
func characters(text string) []rune {
	tree, err := syntax.Parse(text, syntax.Perl)
	switch {
	case err != nil:
	case tree.Op == syntax.OpCharClass:
		return tree.Rune
	case tree.Op == syntax.OpLiteral && len(tree.Rune) == 1:
		return []rune{tree.Rune[0], tree.Rune[0]}
	}
	return nil
}

// overlap says whether two lists of ranges have a character in common.
func overlap(a, b []rune) bool {
	for i := 0; i < len(a); i += 2 {
		for j := 0; j < len(b); j += 2 {
			if a[i] <= b[j+1] && b[j] <= a[i+1] {
				return true
			}
		}
	}
	return false
}
