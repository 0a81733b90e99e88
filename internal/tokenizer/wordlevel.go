package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/internal/edit"
)

// wordLevel has a whole word per token.
type wordLevel struct {
	vocab   *vocabulary
	unknown int // id of the unknown token; -1: unknown words are an error
}

// parseWordLevel reads {"type": "WordLevel", "vocab": {…}, "unk_token": "…"}. As in Hugging Face's library an
// unk_token that the vocabulary lacks closes the vocabulary; leaving it out says so more plainly.
func parseWordLevel(o object) (model, error) {
	f, err := read(o, struct {
		Vocab   vocabulary `json:"vocab"`
		Unknown string     `json:"unk_token,omitempty"`
	}{})
	m := &wordLevel{vocab: &f.Vocab, unknown: -1}
	if id, ok := f.Vocab.id(f.Unknown); ok {
		m.unknown = id
	}
	return m, err
}

func (m *wordLevel) vocabulary() *vocabulary { return m.vocab }

func (m *wordLevel) tokenize(ids []int, word string) ([]int, error) {
	if id, ok := m.vocab.id(word); ok {
		return append(ids, id), nil
	}
	if m.unknown >= 0 {
		return append(ids, m.unknown), nil
	}
	return nil, ErrUnknownWord
}

// nearest returns up to three known words within a third of the word's length in edits, nearest first. A large
// vocabulary or a long word isn't searched: the hint is a courtesy and must stay cheap.
func (m *wordLevel) nearest(word string) []string {
	const most, maxWords, maxRunes = 3, 20_000, 64
	length := utf8.RuneCountInString(word)
	if m.vocab.size() > maxWords || length > maxRunes {
		return nil
	}
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	allowed := max(1, (length+1)/3)
	for id := range m.vocab.size() {
		known, _ := m.vocab.token(id)
		if len(known) > 4*maxRunes {
			continue
		}
		if d := edit.Distance(strings.ToLower(word), strings.ToLower(known)); d <= allowed && d < length {
			near = append(near, candidate{known, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var words []string
	for _, c := range near[:min(most, len(near))] {
		words = append(words, c.word)
	}
	return words
}
