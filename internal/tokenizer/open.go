package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"unicode/utf8"
)

// maxFile bounds a tokenizer file's bytes. The largest in use, Gemma 3's tokenizer.json, has 33 MB.
const maxFile = 128 << 20

// Open reads the tokenizer in folder dir of fsys: tokenizer.json, else a sentencepiece model (tokenizer.model,
// spiece.model), else vocab.json with merges.txt, the last two with tokenizer_config.json beside them. The error wraps
// fs.ErrNotExist where the folder has none, ErrFormat or ErrUnsupported where a file can't be used, and names the file
// and the place in it.
func Open(fsys fs.FS, dir string) (*Tokenizer, error) {
	t, err := open(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func open(fsys fs.FS, dir string) (*Tokenizer, error) {
	name := path.Join(dir, "tokenizer.json")
	raw, err := readFile(fsys, name)
	if err == nil {
		t, err := parseTokenizer(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, err := readConfig(fsys, dir)
	if err != nil {
		return nil, err
	}
	t, err := openLegacy(fsys, dir, c)
	if err != nil {
		return nil, err
	}
	tokens, err := c.tokens(t.model.vocabulary())
	if err == nil {
		err = t.add(tokens)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path.Join(dir, "tokenizer_config.json"), err)
	}
	return t, nil
}

// openLegacy reads what checkpoints without a tokenizer.json have. The tokenizer lacks its added tokens.
func openLegacy(fsys fs.FS, dir string, c *config) (*Tokenizer, error) {
	for _, model := range []string{"tokenizer.model", "spiece.model"} {
		name := path.Join(dir, model)
		raw, err := readFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t, err := openSentencePiece(raw, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return t, nil
	}
	t, err := openMerges(fsys, dir, c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: neither tokenizer.json nor another tokenizer's files: %w", dir, err)
	}
	return t, err
}

// readFile reads a file of at most maxFile bytes of UTF-8.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(raw) > maxFile:
		return nil, fmt.Errorf("%s: %w: more than %d bytes", name, ErrFormat, maxFile)
	}
	return raw, nil
}

// parseTokenizer reads a tokenizer.json.
func parseTokenizer(raw []byte) (*Tokenizer, error) {
	if !utf8.Valid(raw) {
		return nil, fmt.Errorf("%w: not UTF-8", ErrFormat)
	}
	if !json.Valid(raw) {
		return nil, fmt.Errorf("%w: not JSON", ErrFormat)
	}
	o := newObject(raw)
	if v := o.textOr("version", "1.0"); v != "1.0" {
		o.refuse("version", "%q", v)
	}
	// How long a prompt may be and how it is padded is said by the caller, as in transformers.
	o.ignore("truncation", "padding")
	t := &Tokenizer{
		norm:   component[normalizer](o, "normalizer", parseNormalizer, normalizers(nil)),
		pre:    component[preTokenizer](o, "pre_tokenizer", parsePreTokenizer, preTokenizers(nil)),
		post:   component(o, "post_processor", parsePostProcessor, template{}),
		decode: component[decoder](o, "decoder", parseDecoder, spaced()),
	}
	m := o.child("model")
	t.model = parseModel(m)
	o.adopt(m)
	tokens := parseAddedTokens(o)
	if err := o.done(); err != nil {
		return nil, err
	}
	return t, t.add(tokens)
}

// component reads a part of the pipeline with parse; absent and null give fallback.
func component[T any](o *object, name string, parse func(*object) T, fallback T) T {
	if o.raw(name) == nil {
		return fallback
	}
	c := o.child(name)
	part := parse(c)
	o.adopt(c)
	return part
}

// components reads a list of parts of the pipeline.
func components[T any](o *object, name string, parse func(*object) T) []T {
	var out []T
	for _, c := range o.objects(name) {
		if *o.parts++; *o.parts > maxParts {
			o.fail(name, "more than %d components", maxParts)
			break
		}
		out = append(out, parse(c))
		o.adopt(c)
	}
	return out
}

// parseModel reads the model of tokenizer.json.
func parseModel(o *object) model {
	kind := o.textOr("type", "BPE") // files of the first years, CLIP's among them, leave it out
	switch kind {
	case "WordLevel":
		return parseWordLevel(o)
	case "BPE":
		return parseBPE(o)
	case "Unigram":
		return parseUnigram(o)
	default:
		o.refuse("type", "model %q", kind)
	}
	return nil
}

// parseAddedTokens reads the list "added_tokens".
func parseAddedTokens(o *object) []addedToken {
	var tokens []addedToken
	for _, c := range o.objects("added_tokens") {
		tokens = append(tokens, addedToken{
			id:         c.integer("id"),
			content:    c.text("content"),
			singleWord: c.flag("single_word"),
			lstrip:     c.flag("lstrip"),
			rstrip:     c.flag("rstrip"),
			normalized: c.flag("normalized"),
			special:    c.flag("special"),
		})
		o.adopt(c)
	}
	return tokens
}

// add installs the added tokens. One that the model knows too must have the model's id.
func (t *Tokenizer) add(tokens []addedToken) error {
	for _, a := range tokens {
		id, known := t.model.vocabulary().id(a.content)
		name, taken := t.model.vocabulary().token(a.id)
		if known && id != a.id || taken && name != a.content {
			return fmt.Errorf("added_tokens: %w: %.40q with id %d contradicts the model's vocabulary", ErrFormat, a.content, a.id)
		}
	}
	var err error
	if t.added, err = newAddedVocabulary(tokens, t.norm); err != nil && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("added_tokens: %w: %w", ErrFormat, err)
	}
	return err
}
