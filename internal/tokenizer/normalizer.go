package tokenizer

import (
	"encoding/base64"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer/regex"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer/uni"
)

// normalizer rewrites a stretch of text. It fails only when a regular expression exceeds its budget.
type normalizer interface {
	normalize(text string) (string, error)
}

// normalizeFunc is a normalizer that cannot fail.
type normalizeFunc func(string) string

func (f normalizeFunc) normalize(text string) (string, error) { return f(text), nil }

// normalizers run in turn; none is the identity.
type normalizers []normalizer

func (n normalizers) normalize(text string) (string, error) {
	var err error
	for _, step := range n {
		if text, err = step.normalize(text); err != nil {
			return "", err
		}
	}
	return text, nil
}

// replacer puts content in the place of what pattern matches.
type replacer struct {
	pattern *regex.Regexp
	content string
}

func (r replacer) normalize(text string) (string, error) {
	hits, err := r.pattern.FindAll(text)
	if err != nil || len(hits) == 0 {
		return text, err
	}
	var b strings.Builder
	from := 0
	for _, h := range hits {
		b.WriteString(text[from:h[0]])
		b.WriteString(r.content)
		from = h[1]
	}
	b.WriteString(text[from:])
	return b.String(), nil
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
func strip(left, right bool) normalizer {
	return normalizeFunc(func(s string) string {
		if left {
			s = strings.TrimLeftFunc(s, uni.IsSpace)
		}
		if right {
			s = strings.TrimRightFunc(s, uni.IsSpace)
		}
		return s
	})
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
		return strip(o.flag("strip_left"), o.flag("strip_right"))
	case "Prepend":
		return prepend(o.text("prepend"))
	case "Replace":
		return replacer{parsePattern(o), o.text("content")}
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
func parsePattern(o *object) *regex.Regexp {
	c := o.child("pattern")
	literal, pattern := c.textOr("String", ""), c.textOr("Regex", "")
	o.adopt(c)
	if (literal == "") == (pattern == "") {
		o.fail("pattern", "neither a String nor a Regex")
		return nil
	}
	if literal != "" {
		return regex.Literal(literal)
	}
	re, err := regex.Compile(pattern)
	if err != nil {
		o.refuse("pattern", "%v", err)
	}
	return re
}
