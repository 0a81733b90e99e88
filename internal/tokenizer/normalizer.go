package tokenizer

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites the text of a piece and knows whether it still begins where the whole text does. It fails only
// for a hostile tokenizer, when the text grows out of all proportion.
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

// replacer puts content in the place of what a pattern matches.
type replacer struct {
	Pattern pattern `json:"pattern"`
	Content affix   `json:"content"`
}

func (r replacer) normalize(in piece) (piece, error) {
	var b strings.Builder
	from := 0
	for _, h := range r.Pattern.findAll(in.text) {
		in.start = in.start && (h[0] > 0 || r.Content != "")
		b.WriteString(in.text[from:h[0]])
		b.WriteString(string(r.Content))
		from = h[1]
	}
	b.WriteString(in.text[from:])
	in.text = b.String()
	return in, nil
}

// form is one of Unicode's normalization forms.
func form(f norm.Form) normalizer {
	return normalizeFunc(func(s string) string { return normalize(f, s) })
}

// prepend begins every text that isn't empty with a prefix.
type prepend struct {
	Prefix affix `json:"prepend"`
}

func (p prepend) normalize(in piece) (piece, error) {
	if in.text != "" {
		in.text = string(p.Prefix) + in.text
	}
	return in, nil
}

// strip removes white space at one end or both.
type strip struct {
	Left  bool `json:"strip_left"`
	Right bool `json:"strip_right"`
}

func (s strip) normalize(in piece) (piece, error) {
	if s.Left {
		rest := strings.TrimLeftFunc(in.text, unicode.IsSpace)
		in.start = in.start && len(rest) == len(in.text)
		in.text = rest
	}
	if s.Right {
		in.text = strings.TrimRightFunc(in.text, unicode.IsSpace)
	}
	return in, nil
}

// parseNormalizer reads a normalizer of tokenizer.json.
func parseNormalizer(kind string, o object) (normalizer, error) {
	switch kind {
	case "Sequence":
		steps, err := components(o, "normalizers", parseNormalizer)
		return normalizers(steps), err
	case "Lowercase":
		return normalizeFunc(lower), o.only()
	case "NFC":
		return form(norm.NFC), o.only()
	case "NFD":
		return form(norm.NFD), o.only()
	case "NFKC":
		return form(norm.NFKC), o.only()
	case "NFKD":
		return form(norm.NFKD), o.only()
	case "Strip":
		return read(o, strip{})
	case "Prepend":
		return read(o, prepend{})
	case "Replace":
		return read(o, replacer{})
	case "ByteLevel":
		return normalizeFunc(byteLevel), o.only()
	case "Precompiled":
		return parsePrecompiled(o)
	}
	return nil, o.unsupported("type", "normalizer %q", kind)
}

// parsePrecompiled reads a sentencepiece character map in base 64.
func parsePrecompiled(o object) (normalizer, error) {
	f, err := read(o, struct {
		Map []byte `json:"precompiled_charsmap"`
	}{})
	if err != nil {
		return nil, err
	}
	m, err := newCharacterMap(f.Map)
	if err != nil {
		return nil, o.wrap("precompiled_charsmap", err)
	}
	return m, nil
}
