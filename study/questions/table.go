package questions

import (
	"context"
	"fmt"
	"strings"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
)

// Table is a Writer that looks up what somebody wrote, by the prompt, word for word.
type Table map[string]Entry

// Entry is what is written for a prompt. What is left empty is not in the table.
type Entry struct {
	Question dualprocess.Question
	Expanded string
}

// Expand returns the expanded prompt. The error wraps ErrUnwritten.
func (t Table) Expand(ctx context.Context, prompt string) (string, error) {
	e := t[prompt]
	if e.Expanded == "" {
		return "", fmt.Errorf("questions: %w: an expanded prompt of %.80q", ErrUnwritten, prompt)
	}
	return e.Expanded, arguments.Context(ctx)
}

// Question returns the question. The error wraps ErrUnwritten.
func (t Table) Question(ctx context.Context, prompt string) (dualprocess.Question, error) {
	e := t[prompt]
	if e.Question.Text == "" {
		return dualprocess.Question{}, fmt.Errorf("questions: %w: a question about %.80q", ErrUnwritten, prompt)
	}
	return e.Question, arguments.Context(ctx)
}

// Pocket is a Writer for the lakes and lamps of the pocket world, in the words that
// the embedded models know: what their common sense expects of a season and an hour.
type Pocket struct{}

// sense is what is expected of prompts that begin with some words.
type sense struct {
	prompt, expanded string
	question, answer string
}

var senses = []sense{
	{"a lake in winter", "a frozen lake in winter", "Is the lake frozen?", "Yes"},
	{"a lake in summer", "a lake in summer", "Is the lake frozen?", "No"},
	{"a lamp at night", "a lamp that is on at night", "Is the lamp on?", "Yes"},
	{"a lamp by day", "a lamp by day", "Is the lamp on?", "No"},
}

// Expand says what is expected; of what is not to be there, captions do not speak. The
// error wraps ErrUnwritten.
func (Pocket) Expand(ctx context.Context, prompt string) (string, error) {
	s, rest, err := lookUp(ctx, prompt)
	return s.expanded + rest, err
}

// Question returns the question about lake or lamp. The error wraps ErrUnwritten.
func (Pocket) Question(ctx context.Context, prompt string) (dualprocess.Question, error) {
	s, _, err := lookUp(ctx, prompt)
	return dualprocess.Question{Text: s.question, Answer: s.answer}, err
}

// lookUp returns what is expected of a prompt, and the rest of its words.
func lookUp(ctx context.Context, prompt string) (s sense, rest string, err error) {
	for _, s := range senses {
		if rest, found := strings.CutPrefix(prompt, s.prompt); found && (rest == "" || rest[0] == ' ') {
			return s, rest, arguments.Context(ctx)
		}
	}
	return sense{}, "", fmt.Errorf("questions: %w: %.80q", ErrUnwritten, prompt)
}
