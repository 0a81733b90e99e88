package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/internal/tokenizer/uni"
)

// addedToken is a token that is cut out of the text before the model sees it.
type addedToken struct {
	content    string
	shown      string // what Decode makes of it: the content, normalized if the token is
	id         int
	singleWord bool // only where no word character touches it
	lstrip     bool // takes the white space before it along
	rstrip     bool // and after it
	normalized bool // looked for after normalization, by its own normalized name
	special    bool // a control token: never found in literal text, left out by Decode
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
		if t.content == "" {
			continue // Hugging Face's library skips these as well
		}
		if len(t.content) > maxToken || t.id < 0 || t.id > maxID {
			return nil, fmt.Errorf("added token %.40q: too long, or its id %d is out of range", t.content, t.id)
		}
		if old, taken := v.byID[t.id]; taken && old.content != t.content {
			return nil, fmt.Errorf("added tokens %.40q and %.40q share id %d", old.content, t.content, t.id)
		}
		t.shown = t.content
		if t.normalized {
			p, err := norm.normalize(piece{text: t.content})
			if err != nil {
				return nil, err
			}
			if t.shown = p.text; t.shown == "" {
				return nil, fmt.Errorf("added token %.40q is nothing once it is normalized", t.content)
			}
		}
		v.byID[t.id], v.byContent[t.content], v.greatest = t, t.id, max(v.greatest, t.id)
		names := raw
		if t.normalized {
			names = normalized
		}
		if old, taken := names[t.shown]; taken && old.id != t.id {
			return nil, fmt.Errorf("added tokens with the ids %d and %d can't be told apart", old.id, t.id)
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
	return t.content, ok
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
		if t.special && literal.overlap(start, end) {
			at = literal.resume(start, end)
			continue
		}
		if t.singleWord && !standsAlone(text, start, end) {
			continue
		}
		if t.lstrip {
			start = before(text, from, start)
		}
		if t.rstrip && end < blankTo {
			end = blankTo // don't walk over the same white space again
		} else if t.rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], uni.IsSpace))
			blankTo = end
		}
		if from < start {
			out = append(out, section{from, start, -1})
		}
		if start < end { // not if the token before it took all of it along as white space
			out = append(out, section{start, end, t.id})
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
	return from + len(strings.TrimRightFunc(text[from:start], uni.IsSpace))
}

// standsAlone says whether no word character touches text[start:end].
func standsAlone(text string, start, end int) bool {
	left, _ := utf8.DecodeLastRuneInString(text[:start])
	right, _ := utf8.DecodeRuneInString(text[end:])
	return (start == 0 || !uni.IsWord(left)) && (end == len(text) || !uni.IsWord(right))
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
