package text

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/tokenizer"
)

// Prompter makes ids of prompts, all of one length.
type Prompter struct {
	tokenizer *tokenizer.Tokenizer
	padding   int32
	length    int
}

// OpenPrompter opens the tokenizer in folder dir of fsys. Prompts are brought to
// length ids, or to what the tokenizer says is the most if that is less. vocabulary
// is the number of ids that the encoder knows; a tokenizer with more is an error.
// padding is the token that fills up where the folder names none: the default of
// transformers' class.
func OpenPrompter(fsys fs.FS, dir string, length, vocabulary int, padding string) (*Prompter, error) {
	t, err := tokenizer.Open(fsys, dir)
	if err != nil {
		return nil, err
	}
	if t.Size() > vocabulary {
		return nil, fmt.Errorf("%s: the tokenizer has %d ids, its encoder %d", dir, t.Size(), vocabulary)
	}
	config := prompterConfig{}
	for _, file := range []string{"special_tokens_map.json", "tokenizer_config.json"} { // of two paddings the last counts
		if err := config.read(fsys, path.Join(dir, file)); err != nil {
			return nil, err
		}
	}
	name := cmp.Or(string(config.Padding), padding)
	id, ok := t.ID(name)
	if !ok {
		return nil, fmt.Errorf("%s: pad_token %q is no token", path.Join(dir, "tokenizer_config.json"), name)
	}
	if config.Longest >= 1 && config.Longest < float64(length) {
		length = int(config.Longest)
	}
	return &Prompter{t, int32(id), length}, nil
}

// Tokens that fill prompts up where a tokenizer names none.
const (
	CLIPPadding = "<|endoftext|>"
	Padding     = "<pad>" // T5's and Gemma's
)

// prompterConfig is what a prompter asks of a tokenizer's files; whatever else they
// hold is for the tokenizer.
type prompterConfig struct {
	Padding tokenName `json:"pad_token"`
	Longest float64   `json:"model_max_length"` // 1e30 where there is no limit
}

// read reads a file, which may be missing.
func (c *prompterConfig) read(fsys fs.FS, name string) error {
	text, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = hf.CheckPointer(text)
	}
	if err == nil {
		err = json.Unmarshal(text, c)
	}
	return hf.Within(name, err)
}

// tokenName is a token in a JSON file: its text, or an object that holds it.
type tokenName string

// UnmarshalJSON implements json.Unmarshaler.
func (n *tokenName) UnmarshalJSON(text []byte) error {
	var object struct{ Content string }
	if json.Unmarshal(text, (*string)(n)) == nil {
		return nil
	}
	err := json.Unmarshal(text, &object)
	*n = tokenName(object.Content)
	return err
}

// Length is the number of ids that every prompt has.
func (p *Prompter) Length() int { return p.length }

// WithLength returns a prompter of another length.
func (p *Prompter) WithLength(length int) *Prompter {
	return &Prompter{p.tokenizer, p.padding, length}
}

// Count returns the number of ids of a text, neither cut nor padded.
func (p *Prompter) Count(text string) (int, error) {
	all, err := p.tokenizer.Encode(text)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", dualprocess.ErrPrompt, err)
	}
	return len(all), nil
}

// IDs returns the ids of a prompt: cut at the end but for an end-of-text token,
// as transformers do it, or filled up with padding.
func (p *Prompter) IDs(prompt string) ([]int32, error) {
	ids, _, err := p.Padded(prompt)
	return ids, err
}

// Padded is IDs and tells how many of them are no padding.
func (p *Prompter) Padded(prompt string) (ids []int32, words int, err error) {
	all, err := p.tokenizer.Encode(prompt)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", dualprocess.ErrPrompt, err)
	}
	if len(all) > p.length {
		_, after := p.tokenizer.Affixes()
		ending := min(len(after), p.length)
		copy(all[p.length-ending:], all[len(all)-ending:])
		all = all[:p.length]
	}
	ids = make([]int32, p.length)
	for i := range ids {
		ids[i] = p.padding
		if i < len(all) {
			ids[i] = int32(all[i])
		}
	}
	return ids, len(all), nil
}
