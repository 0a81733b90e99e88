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
	Class     string                `json:"tokenizer_class"`
	AddBegin  *bool                 `json:"add_bos_token"`
	AddEnd    *bool                 `json:"add_eos_token"`
	ExtraIDs  *int                  `json:"extra_ids"`
	Added     map[string]namedToken `json:"added_tokens_decoder"` // by id
	Begin     *namedToken           `json:"bos_token"`
	End       *namedToken           `json:"eos_token"`
	Unknown   *namedToken           `json:"unk_token"`
	Separator *namedToken           `json:"sep_token"`
	Pad       *namedToken           `json:"pad_token"`
	others    map[string]int        // added_tokens.json
}

// namedToken is a token: its name, or an object.
type namedToken addedToken

// UnmarshalJSON implements json.Unmarshaler.
func (n *namedToken) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &n.Content)
	}
	return json.Unmarshal(raw, (*addedToken)(n))
}

func (n namedToken) token(id int) addedToken {
	n.ID = id
	return addedToken(n)
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
		byName[name] = addedToken{Content: name, ID: id, Special: true}
	}
	for _, n := range []*namedToken{c.Begin, c.End, c.Unknown, c.Separator, c.Pad} {
		if n == nil {
			continue
		}
		id, ok := vocab.id(n.Content)
		if old, added := byName[n.Content]; !ok && added {
			id, ok = old.ID, true
		}
		if ok {
			t := n.token(id)
			t.Special = true
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
	slices.SortFunc(tokens, func(a, b addedToken) int { return a.ID - b.ID })
	return tokens, nil
}
