package tokenizer

import (
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer/uni"
)

// piece is a stretch of normalized text on its way through the pre-tokenizers.
type piece struct {
	text  string
	start bool // it begins where the whole text begins: Metaspace's scheme "first" asks
}

// preTokenizer cuts pieces into smaller ones, or rewrites them in place. Empty pieces are dropped.
type preTokenizer interface {
	split(in []piece) ([]piece, error)
}

// preTokenizers run in turn; none leaves the pieces whole.
type preTokenizers []preTokenizer

func (p preTokenizers) split(in []piece) ([]piece, error) {
	var err error
	for _, step := range p {
		if in, err = step.split(in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// splitter cuts at what find finds.
type splitter struct {
	find     finder
	behavior behavior
}

func (s splitter) split(in []piece) ([]piece, error) {
	var out []piece
	for _, p := range in {
		spans, err := s.find(p.text)
		if err != nil {
			return nil, err
		}
		for _, c := range s.behavior.arrange(spans) {
			if c.start < c.end {
				out = append(out, piece{text: p.text[c.start:c.end], start: p.start && c.start == 0})
			}
		}
	}
	return out, nil
}

// metaspace replaces spaces by a visible character and begins pieces with it.
type metaspace struct {
	replacement string
	scheme      string // "always", "first" (only the piece that the text begins with) or "never"
}

func (m metaspace) split(in []piece) ([]piece, error) {
	for i := range in {
		text := strings.ReplaceAll(in[i].text, " ", m.replacement)
		if !strings.HasPrefix(text, m.replacement) && (m.scheme == "always" || m.scheme == "first" && in[i].start) {
			text = m.replacement + text
		}
		in[i].text = text
	}
	return in, nil
}

// newMetaspace is the pre-tokenizer Metaspace; split says that every replacement begins a new piece.
func newMetaspace(replacement rune, scheme string, split bool) preTokenizers {
	p := preTokenizers{metaspace{string(replacement), scheme}}
	if split {
		p = append(p, splitter{findRunes(func(r rune) bool { return r == replacement }), mergedWithNext})
	}
	return p
}

// newByteLevel is the pre-tokenizer ByteLevel.
func newByteLevel(prefixSpace, useRegex bool) preTokenizers {
	var p preTokenizers
	if prefixSpace {
		p = append(p, spacePrefix{})
	}
	if useRegex {
		p = append(p, splitter{findPattern(mustCompile(gpt2Pattern)), isolated})
	}
	return append(p, byteLevelPieces{})
}

// parsePreTokenizer reads a pre_tokenizer of tokenizer.json.
func parsePreTokenizer(o *object) preTokenizer {
	switch kind := o.text("type"); kind {
	case "Sequence":
		return preTokenizers(components(o, "pretokenizers", parsePreTokenizer))
	case "Whitespace":
		return splitter{findWords, removed}
	case "WhitespaceSplit":
		return splitter{findRunes(uni.IsSpace), removed}
	case "Punctuation":
		return splitter{findRunes(uni.IsPunctuation), parseBehavior(o, o.textOr("behavior", "Isolated"))}
	case "Digits":
		if o.flag("individual_digits") {
			return splitter{findRunes(uni.IsNumeric), isolated}
		}
		return splitter{findRunes(uni.IsNumeric), contiguous}
	case "Split":
		return parseSplit(o)
	case "ByteLevel":
		o.ignore("trim_offsets")
		return newByteLevel(o.flag("add_prefix_space"), o.flagOr("use_regex", true))
	case "Metaspace":
		return parseMetaspace(o)
	default:
		o.refuse("type", "pre-tokenizer %q", kind)
		return nil
	}
}

func parseSplit(o *object) preTokenizer {
	find := findPattern(parsePattern(o))
	if o.flag("invert") {
		find = find.inverted()
	}
	return splitter{find, parseBehavior(o, o.text("behavior"))}
}

func parseMetaspace(o *object) preTokenizer {
	replacement, scheme := parseMetaspaceFields(o)
	return newMetaspace(replacement, scheme, o.flagOr("split", true))
}

// parseMetaspaceFields reads what the pre-tokenizer and the decoder Metaspace share, with the spelling of old files.
func parseMetaspaceFields(o *object) (replacement rune, scheme string) {
	o.ignore("str_rep")
	replacement, scheme = o.char("replacement"), o.textOr("prepend_scheme", "always")
	switch {
	case scheme != "always" && scheme != "first" && scheme != "never":
		o.refuse("prepend_scheme", "%q", scheme)
	case o.flagOr("add_prefix_space", true):
	case scheme != "never" && o.raw("prepend_scheme") != nil:
		o.fail("add_prefix_space", "contradicts prepend_scheme %q", scheme)
	default:
		scheme = "never"
	}
	return replacement, scheme
}
