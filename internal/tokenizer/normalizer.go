package tokenizer

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer/uni"
)

// normalizer rewrites the text of a piece and knows whether it still begins where the whole text does. It fails only for a hostile tokenizer: when a regular expression exceeds its
// budget, or the text grows out of all proportion.
type normalizer interface {
	normalize(in piece) (piece, error)
}

// normalizeFunc is a normalizer that cannot fail and takes nothing off the start.
type normalizeFunc func(string) string

func (f normalizeFunc) normalize(in piece) (piece, error) {
	in.text = f(in.text)
	return in, nil
}

// normalizers run in turn; none is the identity.
type normalizers []normalizer

func (n normalizers) normalize(in piece) (piece, error) {
	var err error
	limit := maxGrowth(in.text)
	for _, step := range n {
		if in, err = step.normalize(in); err != nil {
			return piece{}, err
		}
		if len(in.text) > limit {
			return piece{}, errGrowth
		}
	}
	return in, nil
}

// errGrowth says that normalizers work as a bomb would.
var errGrowth = fmt.Errorf("%w: normalization makes it too long", ErrText)

// maxGrowth bounds the bytes that a text may be normalized to. Unicode's worst case is elevenfold.
func maxGrowth(text string) int { return 1<<12 + 64*len(text) }

// replacer puts content in the place of what pattern matches.
type replacer struct {
	pattern pattern
	content string
}

func (r replacer) normalize(in piece) (piece, error) {
	text, hits, err := r.replace(in.text)
	if len(hits) > 0 && hits[0][0] == 0 && r.content == "" {
		in.start = false
	}
	in.text = text
	return in, err
}

// replace also returns where the pattern matched.
func (r replacer) replace(text string) (string, [][]int, error) {
	hits := r.pattern.findAll(text)
	if len(hits) == 0 {
		return text, nil, nil
	}
	var b strings.Builder
	from := 0
	for _, h := range hits {
		b.WriteString(text[from:h[0]])
		b.WriteString(r.content)
		from = h[1]
	}
	b.WriteString(text[from:])
	return b.String(), hits, nil
}

// form is one of Unicode's normalization forms.
func form(f norm.Form) normalizer {
	return normalizeFunc(func(s string) string { return uni.Normalize(f, s) })
}

// prepend begins every text that isn't empty with a prefix.
func prepend(prefix string) normalizer {
	return normalizeFunc(func(s string) string {
		if s == "" {
			return s
		}
		return prefix + s
	})
}

// strip removes white space at one end or both.
type strip struct{ left, right bool }

func (s strip) normalize(in piece) (piece, error) {
	if s.left {
		rest := strings.TrimLeftFunc(in.text, uni.IsSpace)
		in.start = in.start && len(rest) == len(in.text)
		in.text = rest
	}
	if s.right {
		in.text = strings.TrimRightFunc(in.text, uni.IsSpace)
	}
	return in, nil
}

// parseNormalizer reads a normalizer of tokenizer.json.
func parseNormalizer(o *object) normalizer {
	switch kind := o.text("type"); kind {
	case "Sequence":
		return normalizers(components(o, "normalizers", parseNormalizer))
	case "Lowercase":
		return normalizeFunc(uni.Lower)
	case "NFC":
		return form(norm.NFC)
	case "NFD":
		return form(norm.NFD)
	case "NFKC":
		return form(norm.NFKC)
	case "NFKD":
		return form(norm.NFKD)
	case "Strip":
		return strip{o.flag("strip_left"), o.flag("strip_right")}
	case "Prepend":
		return prepend(o.affix("prepend", nil))
	case "Replace":
		return replacer{parsePattern(o), o.affix("content", nil)}
	case "ByteLevel":
		return normalizeFunc(byteLevel)
	case "Precompiled":
		return parsePrecompiled(o)
	default:
		o.refuse("type", "normalizer %q", kind)
		return nil
	}
}

// parsePrecompiled reads a sentencepiece character map in base 64.
func parsePrecompiled(o *object) normalizer {
	raw, err := base64.StdEncoding.DecodeString(o.text("precompiled_charsmap"))
	if err != nil {
		o.fail("precompiled_charsmap", "%v", err)
	}
	m, err := newCharacterMap(raw)
	if err != nil && o.err == nil {
		o.fail("precompiled_charsmap", "%v", err)
	}
	return m
}

// parsePattern reads the field "pattern": {"String": "…"} or {"Regex": "…"}.
func parsePattern(o *object) pattern {
	c := o.child("pattern")
	literal, expression := c.textOr("String", ""), c.textOr("Regex", "")
	o.adopt(c)
	if (literal == "") == (expression == "") {
		o.fail("pattern", "neither a String nor a Regex")
		return pattern{}
	}
	if len(literal) > maxToken {
		o.fail("pattern", "longer than %d bytes", maxToken)
		return pattern{}
	}
	if literal != "" {
		return literally(literal)
	}
	re, err := compile(expression)
	if err != nil {
		o.refuse("pattern", "%v", err)
	}
	return re
}
