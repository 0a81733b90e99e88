// Package uni knows characters as the libraries behind Hugging Face's tokenizers know them, whatever version of
// Unicode the Go toolchain has: the ids of a text with a character of 2023 must be those of the reference, too.
//
// The differences to Go's tables are generated (tables.py) from the reference's answers about every code point.
package uni

import (
	"strings"
	"unicode"
)

// Category is a general category of Unicode 16, the version of the reference's regular expressions.
type Category struct {
	known *unicode.RangeTable
	added []*unicode.RangeTable
}

// CategoryOf returns the category with a name of one letter ("L") or two ("Lu"). Cn, the unassigned, is not offered.
func CategoryOf(name string) (Category, bool) {
	known, ok := unicode.Categories[name]
	if !ok || len(name) > 2 || name == "Cn" || name == "LC" || name == "C" || name == "Cs" {
		return Category{}, false
	}
	c := Category{known: known}
	for minor, table := range added {
		if strings.HasPrefix(minor, name) {
			c.added = append(c.added, table)
		}
	}
	return c, true
}

// Has says whether r belongs to c.
func (c Category) Has(r rune) bool {
	return unicode.Is(c.known, r) && !unicode.Is(later, r) || unicode.In(r, c.added...)
}

// IsSpace is the property White_Space, which the reference means by white space everywhere.
func IsSpace(r rune) bool { return unicode.IsSpace(r) }

// IsWord is \w of Rust's regular expressions: Alphabetic, Mark, Decimal_Number, Connector_Punctuation, Join_Control.
func IsWord(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	word := unicode.In(r, unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Pc, unicode.Join_Control)
	return word && !unicode.Is(later, r) || unicode.Is(addedWord, r)
}

// IsPunctuation is what the Punctuation pre-tokenizer cuts at: Unicode 8's punctuation, and ASCII's symbols as well.
func IsPunctuation(r rune) bool {
	if r < 0x80 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.Is(unicode.P, r) && !unicode.Is(laterPunctuation, r) || unicode.Is(formerPunctuation, r)
}

// IsNumeric is Rust's char::is_numeric: Nd, Nl and No.
func IsNumeric(r rune) bool { return unicode.Is(unicode.N, r) || unicode.Is(addedNumeric, r) }

// Lower maps characters one by one as Rust's char::to_lowercase does: no rule for a final sigma, and one character
// whose lower case is two.
func Lower(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range text {
		switch lower, late := addedLower[r]; {
		case r < 0x80:
			b.WriteRune(unicode.ToLower(r))
		case late:
			b.WriteRune(lower)
		case r == 'İ':
			b.WriteString("i\u0307")
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
