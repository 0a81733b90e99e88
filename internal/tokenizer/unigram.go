package tokenizer

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram cuts a word into the tokens whose scores have the greatest sum.
type unigram struct {
	vocab        *vocabulary
	pieces       *prefixes // token to id
	scores       []float64 // by id
	unknown      int       // id; -1: an unknown character is an error
	unknownScore float64
	byteFallback bool
}

// parseUnigram reads a model of type Unigram.
func parseUnigram(o object) (model, error) {
	f, err := read(o, struct {
		Vocab        scoredTokens `json:"vocab"`
		Unknown      int          `json:"unk_id,omitempty"`
		ByteFallback bool         `json:"byte_fallback,omitempty"`
	}{Unknown: -1})
	if err != nil {
		return nil, err
	}
	m, err := newUnigram(f.Vocab.tokens, f.Vocab.scores, f.Unknown)
	if err != nil {
		return nil, o.wrap("vocab", err)
	}
	m.byteFallback = f.ByteFallback
	return m, nil
}

// scoredTokens are the tokens of a vocabulary by id, and their scores.
type scoredTokens struct {
	tokens []string
	scores []float64
}

// UnmarshalJSON reads [["token", score], …].
func (s *scoredTokens) UnmarshalJSON(raw []byte) error {
	if err := checkCount(raw, ",", 2*maxPieces); err != nil {
		return err
	}
	var items [][]any
	if err := json.Unmarshal(raw, &items); err != nil {
		return err
	}
	for i, item := range items {
		pair := append(item, nil, nil) // so that it has two
		token, okToken := pair[0].(string)
		score, okScore := pair[1].(float64)
		if len(item) != 2 || !okToken || !okScore {
			return fmt.Errorf("item %d is not a pair of a token and its score", i)
		}
		s.tokens, s.scores = append(s.tokens, token), append(s.scores, score)
	}
	return nil
}

// newUnigram makes a model of tokens, whose places are their ids, and their scores.
func newUnigram(tokens []string, scores []float64, unknown int) (*unigram, error) {
	const penalty = 10 // of an unknown character against the worst token
	if unknown < -1 || unknown >= len(tokens) {
		return nil, fmt.Errorf("the unknown token's id %d is not in the vocabulary", unknown)
	}
	ids := make(map[string]int, len(tokens))
	entries := make([]entry, 0, len(tokens))
	worst := math.Inf(1)
	for id, token := range tokens {
		if _, twice := ids[token]; twice {
			return nil, fmt.Errorf("token %.40q is there twice", token)
		}
		if math.IsNaN(scores[id]) || math.IsInf(scores[id], 0) {
			return nil, fmt.Errorf("token %.40q has no finite score", token)
		}
		ids[token] = id
		worst = min(worst, scores[id])
		if len(token) > maxPiece {
			return nil, fmt.Errorf("token %.40q… is longer than %d bytes", token, maxPiece)
		}
		if token != "" {
			entries = append(entries, entry{token, id})
		}
	}
	vocab, err := newVocabulary(ids)
	if err != nil {
		return nil, err
	}
	return &unigram{vocab: vocab, pieces: newPrefixes(entries), scores: scores, unknown: unknown, unknownScore: worst - penalty}, nil
}

func (m *unigram) vocabulary() *vocabulary { return m.vocab }

func (m *unigram) tokenize(ids []int, word string) ([]int, error) {
	best, err := m.viterbi(word)
	if err != nil {
		return nil, err
	}
	type token struct {
		start, end int
		unknown    bool
	}
	var backwards []token
	for end := len(word); end > 0; end = best[end].start {
		t := token{best[end].start, end, best[end].id == m.unknown}
		if n := len(backwards); n > 0 && t.unknown && backwards[n-1].unknown { // unknown ones in a row are one
			backwards[n-1].start = t.start
			continue
		}
		backwards = append(backwards, t)
	}
	for i := len(backwards) - 1; i >= 0; i-- {
		ids = m.add(ids, word[backwards[i].start:backwards[i].end])
	}
	return ids, nil
}

// add appends the id of a token's text, its bytes' ids, or the unknown token's.
func (m *unigram) add(ids []int, text string) []int {
	if id, ok := m.vocab.id(text); ok {
		return append(ids, id)
	}
	if m.byteFallback {
		before := len(ids)
		for i := range len(text) {
			id, ok := m.vocab.id(fmt.Sprintf("<0x%02X>", text[i]))
			if !ok {
				return append(ids[:before], m.unknown)
			}
			ids = append(ids, id)
		}
		return ids
	}
	return append(ids, m.unknown)
}

// arrival is the best way to a place in a word: the token that ends there.
type arrival struct {
	score float64
	start int // -1: not reached yet
	id    int
}

// viterbi returns the best arrival at each byte of word where a character begins, and at its end.
func (m *unigram) viterbi(word string) ([]arrival, error) {
	best := make([]arrival, len(word)+1)
	for i := range best {
		best[i].start = -1
	}
	for start, r := range word {
		before, size := best[start].score, utf8.RuneLen(r)
		arrive := func(length int, score float64, id int) bool {
			a := &best[start+length]
			better := a.start < 0 || before+score > a.score
			if better {
				*a = arrival{before + score, start, id}
			}
			return better
		}
		known := false
		m.pieces.each(word[start:], func(id, length int) {
			arrive(length, m.scores[id], id)
			known = known || length == size
		})
		if !known && arrive(size, m.unknownScore, m.unknown) && m.unknown < 0 {
			return nil, fmt.Errorf("%w: the vocabulary has no %q and no unknown token", ErrText, r)
		}
	}
	return best, nil
}
