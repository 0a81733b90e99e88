package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// The parts of Hugging Face's library were built with different versions of Unicode: the Punctuation pre-tokenizer with
// 8, normalization with 9, all others with 16 or 17. In place of the latter stands Go's version, so a character that is
// newer than Go's may get other ids than there.
var unicode8, unicode9 = rangetable.Assigned("8.0.0"), rangetable.Assigned("9.0.0")

// isWord is \w of Rust's regular expressions: Alphabetic, Mark, Decimal_Number, Connector_Punctuation, Join_Control.
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}

// isPunctuation is what the Punctuation pre-tokenizer cuts at: Unicode 8's punctuation, two characters of which count
// as others today, and ASCII's symbols as well.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return unicode.IsPunct(r) && unicode.Is(unicode8, r) || r == '\u166d' || r == '\U000111c9'
}

// lower maps characters one by one as Rust's char::to_lowercase does: no rule for a final sigma, and one character
// whose lower case is two.
func lower(text string) string { return strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307")) }

// normalize brings text into a normalization form of Unicode 9.
//
// x/text serves for what is normal already, and as the table of characters. Its own String can't be used for the
// rest, as it cuts runs of more than 30 combining marks with a U+034F ("stream-safe text").
func normalize(form norm.Form, text string) string {
	if form.IsNormalString(text) {
		return text
	}
	decomposing := norm.NFD
	if form == norm.NFKC || form == norm.NFKD {
		decomposing = norm.NFKD
	}
	marked := decompose(decomposing, text)
	if form == norm.NFC || form == norm.NFKC {
		marked = compose(marked)
	}
	out := make([]byte, 0, len(text))
	for _, c := range marked {
		out = utf8.AppendRune(out, c.r)
	}
	return string(out)
}

// classed is a character with its canonical combining class.
type classed struct {
	r     rune
	class uint8
}

// decompose takes text apart and puts each run of combining marks in order.
func decompose(form norm.Form, text string) []classed {
	out := make([]classed, 0, len(text))
	for _, r := range text {
		if !unicode.Is(unicode9, r) {
			out = append(out, classed{r, 0})
			continue
		}
		for _, d := range form.String(string(r)) {
			out = append(out, classed{d, form.PropertiesString(string(d)).CCC()})
		}
	}
	for from := 0; from < len(out); {
		to := from
		for to < len(out) && out[to].class != 0 {
			to++
		}
		slices.SortStableFunc(out[from:to], func(a, b classed) int { return int(a.class) - int(b.class) })
		from = to + 1
	}
	return out
}

// compose puts characters together, in place: each mark with the starter before it, unless a character that stayed
// between them has a class as high as its own.
func compose(in []classed) []classed {
	out := in[:0]
	starter, between := -1, -1 // index of the last starter in out; class of the last character that stayed after it
	for _, c := range in {
		if starter >= 0 && between < int(c.class) && unicode.Is(unicode9, out[starter].r) && unicode.Is(unicode9, c.r) {
			both := norm.NFC.String(string([]rune{out[starter].r, c.r}))
			if r, size := utf8.DecodeRuneInString(both); size == len(both) {
				out[starter].r = r
				continue
			}
		}
		out = append(out, c)
		if c.class == 0 {
			starter, between = len(out)-1, -1
		} else {
			between = int(c.class)
		}
	}
	return out
}
