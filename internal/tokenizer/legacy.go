package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The pipelines below are the ones that transformers builds for these files; checkpoints that carry a tokenizer.json
// as well have the same in it.

const (
	clipPattern = `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`
	qwenPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// openMerges builds a tokenizer from vocab.json and merges.txt.
func openMerges(fsys fs.FS, dir string, c *config) (*Tokenizer, error) {
	m := &bpe{unknown: -1}
	var err error
	if m.vocab, err = readVocabulary(fsys, path.Join(dir, "vocab.json")); err != nil {
		return nil, err
	}
	name := path.Join(dir, "merges.txt")
	raw, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	var merges [][]string
	for _, line := range strings.FieldsFunc(string(raw), func(r rune) bool { return r == '\n' || r == '\r' }) {
		merges = appendMerge(merges, line)
	}
	t := &Tokenizer{model: m, decode: decodeFunc(decodeByteLevel)}
	switch c.Class {
	case "CLIPTokenizer":
		err = t.clip(m, c)
	case "Qwen2Tokenizer":
		t.norm = form(norm.NFC)
		t.pre = preTokenizers{splitter{findPattern(mustCompile(qwenPattern)), isolated}, newByteLevel(false, false)}
	default:
		err = fmt.Errorf("%s: %w: tokenizer_class %q of a vocab.json", path.Join(dir, "tokenizer_config.json"), ErrUnsupported, c.Class)
	}
	if err == nil {
		if err = m.setMerges(merges); err != nil {
			err = fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
		}
	}
	return t, err
}

// readVocabulary reads a vocab.json.
func readVocabulary(fsys fs.FS, name string) (*vocabulary, error) {
	raw, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	v := &vocabulary{}
	if err = json.Unmarshal(raw, v); !utf8.Valid(raw) {
		err = errors.New("not UTF-8")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return v, nil
}

// clip completes the tokenizer of CLIP's text encoders.
func (t *Tokenizer) clip(m *bpe, c *config) error {
	m.suffix = "</w>"
	name := func(n *namedToken, fallback string) string {
		if n == nil || n.Content == "" {
			return fallback
		}
		return n.Content
	}
	ids := map[string]int{}
	for _, special := range []string{name(c.Begin, "<|startoftext|>"), name(c.End, "<|endoftext|>"), name(c.Unknown, "<|endoftext|>")} {
		id, ok := m.vocab.id(special)
		if !ok {
			return fmt.Errorf("vocab.json: %w: no %q", ErrFormat, special)
		}
		ids[special] = id
	}
	m.unknown = ids[name(c.Unknown, "<|endoftext|>")]
	t.post = template{before: []int{ids[name(c.Begin, "<|startoftext|>")]}, after: []int{ids[name(c.End, "<|endoftext|>")]}}
	t.norm = normalizers{form(norm.NFC), replacer{mustCompile(`\s+`), " "}, normalizeFunc(lower)}
	t.pre = preTokenizers{splitter{findPattern(mustCompile(clipPattern)).inverted(), removed}, newByteLevel(false, true)}
	t.decode = decoders{t.decode, decodeFunc(fuse), each(func(_ int, text string) string {
		return strings.TrimSpace(strings.ReplaceAll(text, m.suffix, " "))
	})}
	return nil
}

// openSentencePiece builds a tokenizer from a sentencepiece model.
func openSentencePiece(raw []byte, c *config) (*Tokenizer, error) {
	m, err := parseSentencePiece(raw)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{}
	switch {
	case !m.isBPE:
		err = t.t5(m, c)
	case m.dummyPrefix:
		err = t.llama(m)
	default:
		err = t.gemma(m)
	}
	if err != nil {
		return nil, err
	}
	if m.isBPE && (c.AddBegin == nil || *c.AddBegin) && m.begin >= 0 {
		t.post.before = []int{m.begin}
	}
	if (!m.isBPE || c.AddEnd != nil && *c.AddEnd) && m.end >= 0 {
		t.post.after = []int{m.end}
	}
	c.addPieces(m)
	return t, nil
}

// addPieces makes added tokens of the pieces that are no ordinary text, unless the config describes them.
func (c *config) addPieces(m *sentencePieceModel) {
	described := map[string]bool{}
	for _, n := range c.Added {
		described[n.Content] = true
	}
	if c.Added == nil {
		c.Added = map[string]namedToken{}
	}
	for id, p := range m.pieces {
		control := p.kind == pieceControl || p.kind == pieceUnknown
		if (control || p.kind == pieceUserDefined) && !described[p.text] {
			c.Added[fmt.Sprint(id)] = namedToken{Content: p.text, Special: control}
		}
	}
}

// spaceMark stands for a space in sentencepiece's vocabularies.
const spaceMark = "▁"

// llama is the pipeline of the Llama family: every stretch of text begins with a space mark of its own.
func (t *Tokenizer) llama(m *sentencePieceModel) (err error) {
	t.norm = normalizers{prepend{spaceMark}, replacer{literally(" "), spaceMark}}
	t.pre = preTokenizers(nil)
	t.decode = decoders{unmark(), decodeFunc(decodeBytes), decodeFunc(fuse), stripEnds(' ', 1, 0)}
	t.model, err = m.bpe()
	return err
}

// gemma is the pipeline of the Gemma family: without such a mark.
func (t *Tokenizer) gemma(m *sentencePieceModel) (err error) {
	m.nameTab()
	t.norm = replacer{literally(" "), spaceMark}
	t.pre = splitter{findPattern(literally(" ")), mergedWithPrevious}
	t.decode = decoders{unmark(), decodeFunc(decodeBytes), decodeFunc(fuse)}
	t.model, err = m.bpe()
	return err
}

// nameTab mends early Gemma models, which have a tab as a byte token only.
func (m *sentencePieceModel) nameTab() {
	tab := -1
	for id, p := range m.pieces {
		switch p.text {
		case "\t":
			return
		case "<0x09>":
			tab = id
		}
	}
	if tab >= 0 {
		m.pieces[tab].text, m.pieces[tab].score = "\t", 0
	}
}

// unmark puts spaces back into tokens.
func unmark() decoder {
	return each(func(_ int, token string) string { return strings.ReplaceAll(token, spaceMark, " ") })
}

// t5 is the pipeline of T5, whose vocabulary goes on after the model's with sentinels in falling order.
func (t *Tokenizer) t5(m *sentencePieceModel, c *config) error {
	if c.Class != "" && c.Class != "T5Tokenizer" {
		return fmt.Errorf("tokenizer_config.json: %w: tokenizer_class %q of a Unigram model", ErrUnsupported, c.Class)
	}
	extra := 100
	if c.ExtraIDs != nil {
		extra = *c.ExtraIDs
	}
	if extra < 0 || extra > maxPieces {
		return fmt.Errorf("tokenizer_config.json: %w: extra_ids %d", ErrFormat, extra)
	}
	for i := extra - 1; i >= 0; i-- {
		m.pieces = append(m.pieces, sentencePiece{fmt.Sprintf("<extra_id_%d>", i), 0, pieceControl})
	}
	steps := normalizers{strip{Right: true}, replacer{mustCompile(" {2,}"), spaceMark}}
	if len(m.charmap) > 0 {
		charmap, err := newCharacterMap(bytes.Clone(m.charmap))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		steps = append(normalizers{charmap}, steps...)
	}
	t.norm, t.pre, t.decode = steps, newMetaspace('▁', "always", true), decodeMetaspace('▁', "always")
	tokens, scores := make([]string, len(m.pieces)), make([]float64, len(m.pieces))
	for id, p := range m.pieces {
		tokens[id], scores[id] = p.text, p.score
	}
	u, err := newUnigram(tokens, scores, m.unknown)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	t.model = u
	return nil
}
