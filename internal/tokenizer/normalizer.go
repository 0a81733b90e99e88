package tokenizer

import (
	"strings"
	"unicode"
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

// parseNormalizer reads a normalizer of tokenizer.json.
func parseNormalizer(o *object) normalizer {
	var n normalizer
	switch kind := o.text("type"); kind {
	case "Sequence":
		var seq normalizers
		for _, c := range o.objects("normalizers") {
			seq = append(seq, parseNormalizer(c))
			o.adopt(c)
		}
		n = seq
	case "Lowercase":
		n = normalizeFunc(lowercase)
	default:
		o.refuse("type", "normalizer %q", kind)
	}
	return n
}

// lowercase maps characters one by one as Rust's char::to_lowercase does: without the rule for a final sigma, and
// with the one character whose lower case is two.
func lowercase(text string) string {
	if !strings.ContainsRune(text, 'İ') {
		return strings.ToLower(text)
	}
	var b strings.Builder
	for _, r := range text {
		b.WriteRune(unicode.ToLower(r))
		if r == 'İ' {
			b.WriteRune('\u0307')
		}
	}
	return b.String()
}
