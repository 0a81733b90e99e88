package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// maxID bounds ids, so that a table by id stays small; the largest vocabularies have about 300 000.
	maxID = 1<<21 - 1
	// maxToken bounds a token's bytes, so that the search for the longest one is linear in the text.
	maxToken = 1024
)

// vocabulary maps a model's tokens to ids and back. Ids may have holes.
type vocabulary struct {
	ids    map[string]int
	tokens []string // by id
	known  []bool   // by id: "" is a name that tokens can have
}

// newVocabulary checks sizes and that no two tokens share an id.
func newVocabulary(ids map[string]int) (*vocabulary, error) {
	v := &vocabulary{ids: ids}
	greatest := -1
	for token, id := range ids {
		if id < 0 || id > maxID {
			return nil, fmt.Errorf("token %.40q has id %d, outside 0 to %d", token, id, maxID)
		}
		if len(token) > maxToken {
			return nil, fmt.Errorf("token %.40q… is longer than %d bytes", token, maxToken)
		}
		greatest = max(greatest, id)
	}
	v.tokens = make([]string, greatest+1)
	v.known = make([]bool, greatest+1)
	for token, id := range ids {
		if v.known[id] {
			return nil, fmt.Errorf("tokens %.40q and %.40q share id %d", v.tokens[id], token, id)
		}
		v.tokens[id], v.known[id] = token, true
	}
	return v, nil
}

// UnmarshalJSON reads {"token": id, …}.
func (v *vocabulary) UnmarshalJSON(raw []byte) error {
	if err := checkCount(raw, ":", maxID); err != nil {
		return err
	}
	var given map[string]*int // nil is not 0
	if json.Unmarshal(raw, &given) != nil {
		return errors.New("not an object of tokens and ids")
	}
	ids := make(map[string]int, len(given))
	for token, id := range given {
		if id == nil {
			return fmt.Errorf("token %.40q has no id", token)
		}
		ids[token] = *id
	}
	known, err := newVocabulary(ids)
	if err == nil {
		*v = *known
	}
	return err
}

func (v *vocabulary) id(token string) (int, bool) {
	id, ok := v.ids[token]
	return id, ok
}

func (v *vocabulary) token(id int) (string, bool) {
	if id < 0 || id >= len(v.tokens) || !v.known[id] {
		return "", false
	}
	return v.tokens[id], true
}

func (v *vocabulary) size() int { return len(v.tokens) }
