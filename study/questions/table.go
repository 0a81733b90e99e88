package questions

import (
	"context"
	"fmt"

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
