package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// bpe is byte pair encoding: a word begins as characters, and the pair with the lowest rank is merged until none is
// left.
type bpe struct {
	vocab        *vocabulary
	merges       map[pair]merge
	prefix       string   // of the names of characters that don't begin a word
	suffix       string   // of the name of the character that ends a word
	unknown      int      // id for characters that the vocabulary lacks; -1: they are left out
	fuseUnknown  bool     // one unknown token for several such characters in a row
	ignoreMerges bool     // a word that the vocabulary has is one token, whatever the merges
	byteFallback bool     // characters that the vocabulary lacks become their bytes, if it has those
	byteTokens   [256]int // ids of <0x00> to <0xFF>; -1 where there is none
}

// pair and merge are small, as there are half a million of them.
type pair struct{ left, right int32 }
type merge struct{ rank, id int32 }

// parseBPE reads a model of type BPE.
func parseBPE(o object) (model, error) {
	f, err := read(o, struct {
		Vocab        vocabulary `json:"vocab"`
		Merges       mergeList  `json:"merges"`
		Prefix       affix      `json:"continuing_subword_prefix,omitempty"`
		Suffix       affix      `json:"end_of_word_suffix,omitempty"`
		Unknown      string     `json:"unk_token,omitempty"`
		FuseUnknown  bool       `json:"fuse_unk,omitempty"`
		ByteFallback bool       `json:"byte_fallback,omitempty"`
		IgnoreMerges bool       `json:"ignore_merges,omitempty"`
		Dropout      float64    `json:"dropout,omitempty"`
	}{})
	if err != nil {
		return nil, err
	}
	m := &bpe{
		vocab: &f.Vocab, prefix: string(f.Prefix), suffix: string(f.Suffix), unknown: -1,
		fuseUnknown: f.FuseUnknown, byteFallback: f.ByteFallback, ignoreMerges: f.IgnoreMerges,
	}
	if f.Dropout != 0 {
		return nil, o.unsupported("dropout", "random tokens")
	}
	if f.Unknown != "" {
		var ok bool
		if m.unknown, ok = m.vocab.id(f.Unknown); !ok {
			return nil, o.malformed("unk_token", "%q is not in the vocabulary", f.Unknown)
		}
	}
	if err := m.setMerges(f.Merges); err != nil {
		return nil, o.wrap("merges", err)
	}
	m.setByteTokens()
	return m, nil
}

// mergeList is what a model merges, in order of rank. Each should be a pair of tokens.
type mergeList [][]string

// UnmarshalJSON reads [["a", "b"], …] or, in older files, ["a b", …].
func (l *mergeList) UnmarshalJSON(raw []byte) error {
	if err := checkCount(raw, ",", 2*maxID); err != nil {
		return err
	}
	_, items, _ := bytes.Cut(raw, []byte("["))
	if pairs := bytes.HasPrefix(bytes.TrimLeft(items, " \t\r\n"), []byte("[")); pairs {
		return json.Unmarshal(raw, (*[][]string)(l))
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return err
	}
	for _, line := range lines {
		*l = appendMerge(*l, line)
	}
	return nil
}

// appendMerge cuts a line "a b" in two; the line "#version: 0.2" is none.
func appendMerge(merges [][]string, line string) [][]string {
	if strings.HasPrefix(line, "#version") {
		return merges
	}
	return append(merges, strings.Split(line, " "))
}

// setMerges installs pairs of tokens in order of rank.
func (m *bpe) setMerges(merges [][]string) error {
	m.merges = make(map[pair]merge, len(merges))
	var joined []byte
	for rank, names := range merges {
		if len(names) != 2 {
			return fmt.Errorf("merge %d is not a pair", rank)
		}
		joined = append(append(joined[:0], names[0]...), strings.TrimPrefix(names[1], m.prefix)...)
		left, okLeft := m.vocab.id(names[0])
		right, okRight := m.vocab.id(names[1])
		id, ok := m.vocab.ids[string(joined)]
		if !okLeft || !okRight || !ok {
			return fmt.Errorf("merge %d of %.40q and %.40q names a token that is not in the vocabulary", rank, names[0], names[1])
		}
		m.merges[pair{int32(left), int32(right)}] = merge{int32(rank), int32(id)}
	}
	return nil
}

// setByteTokens looks up the tokens <0x00> to <0xFF>.
func (m *bpe) setByteTokens() {
	for b := range m.byteTokens {
		id, ok := m.vocab.id(fmt.Sprintf("<0x%02X>", b))
		if !ok {
			id = -1
		}
		m.byteTokens[b] = id
	}
}

func (m *bpe) vocabulary() *vocabulary { return m.vocab }

func (m *bpe) tokenize(ids []int, word string) ([]int, error) {
	if m.ignoreMerges {
		if id, ok := m.vocab.id(word); ok {
			return append(ids, id), nil
		}
	}
	symbols := m.characters(word)
	m.mergeAll(symbols)
	for i := 0; i >= 0 && i < len(symbols); i = symbols[i].next {
		ids = append(ids, symbols[i].id)
	}
	return ids, nil
}

// characters returns the tokens that a word begins as, linked in a row. An unknown token is held back until a known
// character follows, so it comes after byte tokens in between: Hugging Face's order.
func (m *bpe) characters(word string) []symbol {
	chain := make(chain, 0, len(word))
	held := false
	for i, r := range word {
		name := word[i : i+len(string(r))]
		last := i+len(name) == len(word)
		if i > 0 {
			name = m.prefix + name
		}
		if last {
			name += m.suffix
		}
		if id, ok := m.vocab.id(name); ok {
			if held {
				chain.add(m.unknown)
				held = false
			}
			chain.add(id)
			continue
		}
		if m.byteFallback && m.addBytes(&chain, name) || m.unknown < 0 {
			continue
		}
		if held && !m.fuseUnknown {
			chain.add(m.unknown)
		}
		held = true
	}
	if held {
		chain.add(m.unknown)
	}
	return chain.done()
}

// addBytes appends the byte tokens of name, if the vocabulary has all of them.
func (m *bpe) addBytes(c *chain, name string) bool {
	for i := range len(name) {
		if m.byteTokens[name[i]] < 0 {
			return false
		}
	}
	for i := range len(name) {
		c.add(m.byteTokens[name[i]])
	}
	return true
}
