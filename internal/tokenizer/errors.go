package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrFormat says that a tokenizer file is malformed: not JSON, a missing or mistyped field, a size beyond
	// the limits of this package, parts that contradict each other.
	ErrFormat = errors.New("malformed tokenizer file")
	// ErrUnsupported says that a tokenizer file asks for a component or a setting that this package doesn't have.
	ErrUnsupported = errors.New("unsupported tokenizer component")
	// ErrUnknownWord says that a text holds words that a closed vocabulary lacks; see [UnknownWordError].
	ErrUnknownWord = errors.New("unknown word")
	// ErrText says that a text can't be encoded: it is not UTF-8.
	ErrText = errors.New("text cannot be encoded")
)

// UnknownWordError lists the words of one text that a word-level vocabulary without an unknown token lacks.
// errors.Is(err, ErrUnknownWord) holds for it.
type UnknownWordError struct {
	Words []UnknownWord // in the order of the text, each once; at most 100
}

// UnknownWord is a word outside the vocabulary.
type UnknownWord struct {
	Word string   // as the pre-tokenizer cut it, after normalization
	Near []string // known words that look like it, nearest first; may be empty
}

// Error names every unknown word and what could have been meant.
func (e *UnknownWordError) Error() string {
	parts := make([]string, len(e.Words))
	for i, w := range e.Words {
		parts[i] = fmt.Sprintf("%q", w.Word)
		if len(w.Near) > 0 {
			parts[i] += " (nearest: " + strings.Join(w.Near, ", ") + ")"
		}
	}
	return fmt.Sprintf("tokenizer: %v: %s", ErrUnknownWord, strings.Join(parts, "; "))
}

// Unwrap makes errors.Is(err, ErrUnknownWord) true.
func (e *UnknownWordError) Unwrap() error { return ErrUnknownWord }

// unknownWords collects the words that a text lacks, for one error in the end.
type unknownWords struct {
	words []string
	seen  map[string]bool
}

func (u *unknownWords) add(word string) {
	const most = 100
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	if !u.seen[word] && len(u.words) < most {
		u.seen[word] = true
		u.words = append(u.words, word)
	}
}

// error returns nil where no word was unknown. Similar words are looked for to the first few only: they are a
// courtesy, and a text of nothing but unknown words must not become slow.
func (u *unknownWords) error(nearest func(string) []string) error {
	const helped = 10
	if len(u.words) == 0 {
		return nil
	}
	e := &UnknownWordError{}
	for i, w := range u.words {
		word := UnknownWord{Word: w}
		if i < helped {
			word.Near = nearest(w)
		}
		e.Words = append(e.Words, word)
	}
	return e
}
