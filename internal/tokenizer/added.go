package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is cut out of the text before the model sees it.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no word character touches it
	LStrip     bool   `json:"lstrip"`      // takes the white space before it along
	RStrip     bool   `json:"rstrip"`      // and after it
	Normalized bool   `json:"normalized"`  // looked for after normalization, by its own normalized name
	Special    bool   `json:"special"`     // a control token: never found in literal text, left out by Decode
	shown      string // what Decode makes of it: the content, normalized if the token is
}

// addedVocabulary holds the added tokens. It goes before the model's vocabulary in both directions.
type addedVocabulary struct {
	raw, normalized matcher
	byID            map[int]addedToken
	byContent       map[string]int
	greatest        int
}

// newAddedVocabulary prepares tokens; norm is the tokenizer's normalizer.
func newAddedVocabulary(tokens []addedToken, norm normalizer) (*addedVocabulary, error) {
	v := &addedVocabulary{byID: map[int]addedToken{}, byContent: map[string]int{}, greatest: -1}
	raw, normalized := map[string]addedToken{}, map[string]addedToken{}
	for _, t := range tokens {
		if t.Content == "" {
			continue // Hugging Face's library skips these as well
		}
		if len(t.Content) > maxToken || t.ID < 0 || t.ID > maxID {
			return nil, fmt.Errorf("added token %.40q: too long, or its id %d is out of range", t.Content, t.ID)
		}
		if old, taken := v.byID[t.ID]; taken && old.Content != t.Content {
			return nil, fmt.Errorf("added tokens %.40q and %.40q share id %d", old.Content, t.Content, t.ID)
		}
		t.shown = t.Content
		if t.Normalized {
			p, err := norm.normalize(piece{text: t.Content})
			if err != nil {
				return nil, err
			}
			if t.shown = p.text; t.shown == "" {
				return nil, fmt.Errorf("added token %.40q is nothing once it is normalized", t.Content)
			}
		}
		v.byID[t.ID], v.byContent[t.Content], v.greatest = t, t.ID, max(v.greatest, t.ID)
		names := raw
		if t.Normalized {
			names = normalized
		}
		if old, taken := names[t.shown]; taken && old.ID != t.ID {
			return nil, fmt.Errorf("added tokens with the ids %d and %d can't be told apart", old.ID, t.ID)
		}
		names[t.shown] = t
	}
	v.raw, v.normalized = newMatcher(raw), newMatcher(normalized)
	return v, nil
}

func (v *addedVocabulary) id(token string) (int, bool) {
	id, ok := v.byContent[token]
	return id, ok
}

func (v *addedVocabulary) token(id int) (string, bool) {
	t, ok := v.byID[id]
	return t.Content, ok
}

func (v *addedVocabulary) size() int { return v.greatest + 1 }

// matcher finds added tokens: at the leftmost place, the longest.
type matcher struct {
	names  *prefixes
	tokens []addedToken
}

func newMatcher(tokens map[string]addedToken) matcher {
	var m matcher
	entries := make([]entry, 0, len(tokens))
	for name, t := range tokens {
		entries = append(entries, entry{name, len(m.tokens)})
		m.tokens = append(m.tokens, t)
	}
	m.names = newPrefixes(entries)
	return m
}

// section is a part of a text: an added token, or text between two where id is -1.
type section struct{ start, end, id int }

// cut divides text into added tokens and what lies between them; special tokens that touch a literal range are
// text. A token that strips may begin before the section ahead of it ended or reach over the next one's start;
// the arithmetic is Hugging Face's, so that the ids are too.
func (m matcher) cut(text string, literal ranges) []section {
	var out []section
	from, blankTo := 0, 0
	for at := 0; at < len(text); {
		index, length := m.names.longest(text[at:])
		if length == 0 {
			at++
			continue
		}
		start, end, t := at, at+length, m.tokens[index]
		at = end
		if t.Special && literal.overlap(start, end) {
			at = literal.resume(start, end)
			continue
		}
		if t.SingleWord && !standsAlone(text, start, end) {
			continue
		}
		if t.LStrip {
			start = before(text, from, start)
		}
		if t.RStrip && end < blankTo {
			end = blankTo // don't walk over the same white space again
		} else if t.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			blankTo = end
		}
		if from < start {
			out = append(out, section{from, start, -1})
		}
		if start < end { // not if the token before it took all of it along as white space
			out = append(out, section{start, end, t.ID})
		}
		from = end
	}
	if from < len(text) {
		out = append(out, section{from, len(text), -1})
	}
	return out
}

// before is where the white space that text[from:start] ends in begins; from, where that is past start.
func before(text string, from, start int) int {
	if start <= from {
		return from
	}
	return from + len(strings.TrimRightFunc(text[from:start], unicode.IsSpace))
}

// standsAlone says whether no word character touches text[start:end].
func standsAlone(text string, start, end int) bool {
	left, _ := utf8.DecodeLastRuneInString(text[:start])
	right, _ := utf8.DecodeRuneInString(text[end:])
	return (start == 0 || !isWord(left)) && (end == len(text) || !isWord(right))
}

// overlap says whether [start, end) touches a range.
func (r ranges) overlap(start, end int) bool { return len(r.within(start, end)) > 0 }

// resume is where the search goes on after a special token at [start, end) turned out to be literal text. Past
// the end, as in Hugging Face's library, but not past the end of the literal text: what somebody typed must not
// swallow the start of a control token that follows it.
func (r ranges) resume(start, end int) int {
	touched := r.within(start, end)
	last := touched[len(touched)-1]
	if last[1] < end {
		return max(last[1], start+1)
	}
	return end
}
