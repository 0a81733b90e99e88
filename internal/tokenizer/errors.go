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
	Words []UnknownWord // in the order of the text, each once
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

// add appends the words of other that e doesn't have yet.
func (e *UnknownWordError) add(other *UnknownWordError) {
	for _, w := range other.Words {
		if !e.has(w.Word) {
			e.Words = append(e.Words, w)
		}
	}
}

func (e *UnknownWordError) has(word string) bool {
	for _, w := range e.Words {
		if w.Word == word {
			return true
		}
	}
	return false
}
