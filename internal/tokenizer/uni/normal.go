package uni

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Normalize brings text into a normalization form of Unicode 9, the version of the reference.
//
// x/text serves for what is normal already, and as the table of characters. Its own String can't be used for the
// rest: it cuts runs of more than 30 combining marks with a U+034F ("stream-safe text"), and knows later versions.
func Normalize(form norm.Form, text string) string {
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
		if r < utf8.RuneSelf || unicode.Is(inert, r) {
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
		if starter >= 0 && between < int(c.class) {
			if r, ok := pair(out[starter].r, c.r); ok {
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

// pair returns the character that a and b make.
func pair(a, b rune) (rune, bool) {
	if a < utf8.RuneSelf && b < utf8.RuneSelf || unicode.In(a, inert) || unicode.In(b, inert) {
		return 0, false
	}
	both := norm.NFC.String(string(a) + string(b))
	r, size := utf8.DecodeRuneInString(both)
	return r, size == len(both) && !unicode.Is(inert, r)
}
