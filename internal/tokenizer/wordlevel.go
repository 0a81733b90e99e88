package tokenizer

import (
	"slices"
	"strings"
)

// wordLevel has a whole word per token.
type wordLevel struct {
	vocab   *vocabulary
	unknown int // id of the unknown token; -1: unknown words are an error
}

// parseWordLevel reads {"type": "WordLevel", "vocab": {…}, "unk_token": "…"}. As in Hugging Face's library an
// unk_token that the vocabulary lacks closes the vocabulary; leaving it out says so more plainly.
func parseWordLevel(o *object) model {
	m := &wordLevel{vocab: parseVocabulary(o, "vocab"), unknown: -1}
	if id, ok := m.vocab.id(o.textOr("unk_token", "")); ok {
		m.unknown = id
	}
	return m
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
	target := []rune(strings.ToLower(word))
	if m.vocab.size() > maxWords || len(target) > maxRunes {
		return nil
	}
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	allowed := max(1, (len(target)+1)/3)
	for id := range m.vocab.size() {
		known, _ := m.vocab.token(id)
		if len(known) > 4*maxRunes {
			continue
		}
		if d := editDistance(target, []rune(strings.ToLower(known))); d <= allowed && d < len(target) {
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

// editDistance counts insertions, deletions, substitutions and swaps of neighbours that turn a into b.
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
