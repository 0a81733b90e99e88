package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// config is what this package asks of tokenizer_config.json, where there is no tokenizer.json. The file is
// transformers' and holds much else (chat template, padding side), so unknown fields are passed over.
type config struct {
	Class     string               `json:"tokenizer_class"`
	AddBegin  *bool                `json:"add_bos_token"`
	AddEnd    *bool                `json:"add_eos_token"`
	ExtraIDs  *int                 `json:"extra_ids"`
	Added     map[string]namedSpec `json:"added_tokens_decoder"` // by id
	Begin     *namedSpec           `json:"bos_token"`
	End       *namedSpec           `json:"eos_token"`
	Unknown   *namedSpec           `json:"unk_token"`
	Separator *namedSpec           `json:"sep_token"`
	Pad       *namedSpec           `json:"pad_token"`
	others    map[string]int       // added_tokens.json
}

// namedSpec is a token: its name, or an object.
type namedSpec struct {
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

func (n *namedSpec) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &n.Content)
	}
	type plain namedSpec
	return json.Unmarshal(raw, (*plain)(n))
}

func (n namedSpec) token(id int) addedToken {
	return addedToken{
		content: n.Content, id: id, singleWord: n.SingleWord, lstrip: n.LStrip, rstrip: n.RStrip, normalized: n.Normalized, special: n.Special,
	}
}

// readConfig reads the two files; either may be missing.
func readConfig(fsys fs.FS, dir string) (*config, error) {
	c := &config{}
	for name, into := range map[string]any{"tokenizer_config.json": c, "added_tokens.json": &c.others} {
		raw, err := readFile(fsys, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = json.Unmarshal(raw, into)
			if err != nil {
				err = fmt.Errorf("%w: %w", ErrFormat, err)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join(dir, name), err)
		}
	}
	c.Class = strings.TrimSuffix(c.Class, "Fast")
	return c, nil
}

// tokens collects the added tokens of the config for a model with this vocabulary. A token that is spelt out in
// added_tokens_decoder is taken from there; of the named ones the last counts, as in transformers.
func (c *config) tokens(vocab *vocabulary) ([]addedToken, error) {
	byName := map[string]addedToken{}
	for name, id := range c.others {
		byName[name] = addedToken{content: name, id: id, special: true}
	}
	for _, n := range []*namedSpec{c.Begin, c.End, c.Unknown, c.Separator, c.Pad} {
		if n == nil {
			continue
		}
		id, ok := vocab.id(n.Content)
		if old, added := byName[n.Content]; !ok && added {
			id, ok = old.id, true
		}
		if ok {
			t := n.token(id)
			t.special = true
			byName[n.Content] = t
		}
	}
	for key, n := range c.Added {
		id, err := strconv.Atoi(key)
		if err != nil {
			return nil, fmt.Errorf("%w: added_tokens_decoder: %q is no id", ErrFormat, key)
		}
		byName[n.Content] = n.token(id)
	}
	tokens := make([]addedToken, 0, len(byName))
	for _, t := range byName {
		tokens = append(tokens, t)
	}
	slices.SortFunc(tokens, func(a, b addedToken) int { return a.id - b.id })
	return tokens, nil
}
