package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Tokenizer is a pipeline from text to ids. The zero value is of no use; see [Open].
type Tokenizer struct {
	added  *addedVocabulary
	norm   normalizer   // never nil
	pre    preTokenizer // never nil
	model  model
	post   template
	decode decoder
}

// model cuts one word (a piece of the pre-tokenizer's, never empty, valid UTF-8) into tokens.
type model interface {
	// tokenize appends the word's ids to ids. The error is ErrUnknownWord itself where the vocabulary lacks the word.
	tokenize(ids []int, word string) ([]int, error)
	vocabulary() *vocabulary
}

// Part is a stretch of a text that is encoded as one.
type Part struct {
	Text string
	// Literal says that the names of special tokens in Text are ordinary text: what a user typed must not
	// end the turn or begin an image.
	Literal bool
}

// Encode returns the ids of text with what the post-processor adds (<s>, </s>), as transformers' tokenizers do
// when called with their defaults, but neither cut nor padded: how long a prompt may be is its model's affair.
// The error wraps ErrUnknownWord where the vocabulary is closed and ErrText where text is not UTF-8.
func (t *Tokenizer) Encode(text string) ([]int, error) {
	ids, err := t.EncodeParts(Part{Text: text})
	if err != nil {
		return nil, err
	}
	return t.post.apply(ids), nil
}

// EncodeParts returns the ids of the parts' joined text, without what the post-processor would add. Words may
// cross the border of two parts; parts only say where special tokens are looked for. A special token that is
// matched after normalization (rare: CLIP's) is found only in a stretch that holds no literal text at all.
func (t *Tokenizer) EncodeParts(parts ...Part) ([]int, error) {
	text, literal := join(parts)
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("tokenizer: %w: not valid UTF-8", ErrText)
	}
	ids := make([]int, 0, len(text)/3+4)
	var unknown unknownWords
	for _, s := range t.added.raw.cut(text, literal) {
		if s.id >= 0 {
			ids = append(ids, s.id)
			continue
		}
		var err error
		stretch := piece{text: text[s.start:s.end], start: s.start == 0}
		if ids, err = t.encodeStretch(ids, stretch, literal.within(s.start, s.end), &unknown); err != nil {
			return nil, fmt.Errorf("tokenizer: %w", err)
		}
	}
	if m, ok := t.model.(*wordLevel); ok {
		if err := unknown.error(m.nearest); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// encodeStretch appends the ids of text that lies between added tokens. Unknown words are collected, so that the
// user learns of all of them at once.
func (t *Tokenizer) encodeStretch(ids []int, in piece, literal ranges, unknown *unknownWords) ([]int, error) {
	in, err := t.norm.normalize(in)
	if err != nil {
		return nil, err
	}
	if len(literal) > 0 {
		literal = ranges{{0, len(in.text)}} // positions are lost, so nothing of it may be a special token
	}
	for _, s := range t.added.normalized.cut(in.text, literal) {
		if s.id >= 0 {
			ids = append(ids, s.id)
			continue
		}
		for _, word := range t.pre.split([]piece{{text: in.text[s.start:s.end], start: in.start && s.start == 0}}) {
			next, err := t.model.tokenize(ids, word.text)
			switch {
			case errors.Is(err, ErrUnknownWord):
				unknown.add(word.text)
			case err != nil:
				return nil, err
			default:
				ids = next
			}
		}
	}
	return ids, nil
}

// Decode returns the text of ids without the special tokens. Ids that no token has (models pad their
// vocabularies) are left out; bytes that are no UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if a, ok := t.added.byID[id]; ok {
			if !a.Special {
				tokens = append(tokens, a.shown)
			}
		} else if token, ok := t.model.vocabulary().token(id); ok {
			tokens = append(tokens, token)
		}
	}
	return strings.Join(t.decode.decode(tokens), "")
}

// ID returns the id of a token, added or of the model, by its exact name.
func (t *Tokenizer) ID(token string) (int, bool) {
	if id, ok := t.added.id(token); ok {
		return id, true
	}
	return t.model.vocabulary().id(token)
}

// Token returns the name of an id: the inverse of ID. Names are those of the vocabulary ("Ġthe", "▁the").
func (t *Tokenizer) Token(id int) (string, bool) {
	if token, ok := t.added.token(id); ok {
		return token, true
	}
	return t.model.vocabulary().token(id)
}

// Size is the number of ids, holes included: one more than the greatest. A model's embedding must have at least
// as many rows.
func (t *Tokenizer) Size() int {
	return max(t.added.size(), t.model.vocabulary().size())
}

// ranges are byte ranges, ascending and disjoint.
type ranges [][2]int

// join concatenates parts and tells which ranges of the result are literal.
func join(parts []Part) (string, ranges) {
	if len(parts) == 1 && !parts[0].Literal {
		return parts[0].Text, nil
	}
	var b strings.Builder
	var literal ranges
	for _, p := range parts {
		if p.Literal && p.Text != "" {
			literal = append(literal, [2]int{b.Len(), b.Len() + len(p.Text)})
		}
		b.WriteString(p.Text)
	}
	return b.String(), literal
}

// within returns the ranges that overlap [start, end).
func (r ranges) within(start, end int) ranges {
	var out ranges
	for _, x := range r {
		if x[0] < end && start < x[1] {
			out = append(out, x)
		}
	}
	return out
}
