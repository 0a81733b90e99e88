package tokenizer

import (
	"strings"
	"unicode"
)

// piece is a stretch of normalized text on its way through the pre-tokenizers.
type piece struct {
	text  string
	start bool // it begins where the whole text begins: Metaspace's scheme "first" asks
}

// preTokenizer cuts pieces into smaller ones, or rewrites them in place. Empty pieces are dropped.
type preTokenizer interface {
	split(in []piece) []piece
}

// preTokenizers run in turn; none leaves the pieces whole.
type preTokenizers []preTokenizer

func (p preTokenizers) split(in []piece) []piece {
	for _, step := range p {
		in = step.split(in)
	}
	return in
}

// splitter cuts at what find finds.
type splitter struct {
	find     finder
	behavior behavior
}

func (s splitter) split(in []piece) []piece {
	var out []piece
	for _, p := range in {
		for _, c := range s.behavior.arrange(s.find(p.text)) {
			if c.start < c.end {
				out = append(out, piece{text: p.text[c.start:c.end], start: p.start && c.start == 0})
			}
		}
	}
	return out
}

// metaspace replaces spaces by a visible character and begins pieces with it.
type metaspace struct {
	replacement string
	scheme      string // "always", "first" (only the piece that the text begins with) or "never"
}

func (m metaspace) split(in []piece) []piece {
	for i := range in {
		text := strings.ReplaceAll(in[i].text, " ", m.replacement)
		if !strings.HasPrefix(text, m.replacement) && (m.scheme == "always" || m.scheme == "first" && in[i].start) {
			text = m.replacement + text
		}
		in[i].text = text
	}
	return in
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
func parsePreTokenizer(kind string, o object) (preTokenizer, error) {
	switch kind {
	case "Sequence":
		steps, err := components(o, "pretokenizers", parsePreTokenizer)
		return preTokenizers(steps), err
	case "Whitespace":
		return splitter{findWords, removed}, o.only()
	case "WhitespaceSplit":
		return splitter{findRunes(unicode.IsSpace), removed}, o.only()
	case "Punctuation":
		f, err := read(o, struct {
			Behavior behavior `json:"behavior,omitempty"`
		}{isolated})
		return splitter{findRunes(isPunctuation), f.Behavior}, err
	case "Digits":
		f, err := read(o, struct {
			Individual bool `json:"individual_digits"`
		}{})
		if f.Individual {
			return splitter{findRunes(unicode.IsNumber), isolated}, err
		}
		return splitter{findRunes(unicode.IsNumber), contiguous}, err
	case "Split":
		return parseSplit(o)
	case "ByteLevel":
		f, err := read(o, struct {
			PrefixSpace bool    `json:"add_prefix_space"`
			UseRegex    bool    `json:"use_regex,omitempty"`
			TrimOffsets ignored `json:"trim_offsets,omitempty"`
		}{UseRegex: true})
		return newByteLevel(f.PrefixSpace, f.UseRegex), err
	case "Metaspace":
		f, err := readMetaspace(o)
		return newMetaspace(rune(f.Replacement), f.Scheme, f.Split), err
	}
	return nil, o.unsupported("type", "pre-tokenizer %q", kind)
}

func parseSplit(o object) (preTokenizer, error) {
	f, err := read(o, struct {
		Pattern  pattern  `json:"pattern"`
		Behavior behavior `json:"behavior"`
		Invert   bool     `json:"invert"`
	}{})
	find := findPattern(f.Pattern)
	if f.Invert {
		find = find.inverted()
	}
	return splitter{find, f.Behavior}, err
}

// metaspaceFile is what a Metaspace pre-tokenizer and decoder hold, in old files in another way.
type metaspaceFile struct {
	Replacement character `json:"replacement"`
	Scheme      string    `json:"prepend_scheme,omitempty"`
	PrefixSpace bool      `json:"add_prefix_space,omitempty"`
	Split       bool      `json:"split,omitempty"`
	StrRep      ignored   `json:"str_rep,omitempty"`
}

func readMetaspace(o object) (metaspaceFile, error) {
	f, err := read(o, metaspaceFile{PrefixSpace: true, Split: true})
	switch {
	case err != nil:
	case f.Scheme != "" && f.Scheme != "always" && f.Scheme != "first" && f.Scheme != "never":
		err = o.unsupported("prepend_scheme", "%q", f.Scheme)
	case !f.PrefixSpace && f.Scheme != "" && f.Scheme != "never":
		err = o.malformed("add_prefix_space", "contradicts prepend_scheme %q", f.Scheme)
	case !f.PrefixSpace:
		f.Scheme = "never"
	case f.Scheme == "":
		f.Scheme = "always"
	}
	return f, err
}
