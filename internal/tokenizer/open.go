package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/dualprocess/dualprocess-go/internal/hf"
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
		t, err := parseTokenizer(raw, hf.Ignored(fsys))
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

// readFile reads a file of at most maxFile bytes.
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
	case hf.CheckPointer(raw) != nil:
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, hf.CheckPointer(raw))
	case len(raw) > maxFile:
		return nil, fmt.Errorf("%s: %w: more than %d bytes", name, ErrFormat, maxFile)
	}
	return raw, nil
}

// parseTokenizer reads a tokenizer.json but for the unknown fields that are ignored.
func parseTokenizer(raw []byte, ignore []string) (*Tokenizer, error) {
	o, modelObject, err := openFile(raw, ignore)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{}
	var tokens []addedToken
	var errs [7]error
	t.norm, errs[0] = component[normalizer](o, "normalizer", parseNormalizer, normalizers(nil))
	t.pre, errs[1] = component[preTokenizer](o, "pre_tokenizer", parsePreTokenizer, preTokenizers(nil))
	t.post, errs[2] = component(o, "post_processor", parsePostProcessor, template{})
	t.decode, errs[3] = component(o, "decoder", parseDecoder, spaced())
	t.model, errs[4] = parseModel(modelObject)
	tokens, errs[5] = parseAddedTokens(o)
	// How long a prompt may be and how it is padded is said by the caller, as in transformers.
	_, errs[6] = read(o, struct {
		Version    version `json:"version,omitempty"`
		Truncation ignored `json:"truncation,omitempty"`
		Padding    ignored `json:"padding,omitempty"`
		Model      ignored `json:"model,omitempty"` // read above
	}{})
	if err := cmp.Or(errs[:]...); err != nil {
		return nil, err
	}
	return t, t.add(tokens)
}

// version is that of the file's format, of which there is one.
type version struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (version) UnmarshalJSON(raw []byte) error {
	if string(raw) != `"1.0"` {
		return fmt.Errorf("%w: %s", ErrUnsupported, raw)
	}
	return nil
}

// parseModel reads the field "model".
func parseModel(o object) (model, error) {
	kind := "BPE" // files of the first years, CLIP's among them, leave it out
	if o.fields["type"] != nil {
		var err error
		if kind, err = o.kind(); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "WordLevel":
		return parseWordLevel(o)
	case "BPE":
		return parseBPE(o)
	case "Unigram":
		return parseUnigram(o)
	}
	return nil, o.unsupported("type", "model %q", kind)
}

// parseAddedTokens reads the list "added_tokens".
func parseAddedTokens(file object) ([]addedToken, error) {
	items, err := file.list("added_tokens")
	if err != nil {
		return nil, err
	}
	tokens := make([]addedToken, len(items))
	for i, raw := range items {
		o, err := file.open(fmt.Sprintf("added_tokens[%d]", i), raw)
		if err != nil {
			return nil, err
		}
		if tokens[i], err = read(o, addedToken{}); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// add installs the added tokens. One that the model knows too must have the model's id.
func (t *Tokenizer) add(tokens []addedToken) error {
	for _, a := range tokens {
		id, known := t.model.vocabulary().id(a.Content)
		name, taken := t.model.vocabulary().token(a.ID)
		if known && id != a.ID || taken && name != a.Content {
			return fmt.Errorf("added_tokens: %w: %.40q with id %d contradicts the model's vocabulary", ErrFormat, a.Content, a.ID)
		}
	}
	var err error
	if t.added, err = newAddedVocabulary(tokens, t.norm); err != nil && !errors.Is(err, ErrFormat) {
		err = fmt.Errorf("added_tokens: %w: %w", ErrFormat, err)
	}
	return err
}
