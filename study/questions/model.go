package questions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/arguments"
)

// Chat is a model that answers a text, in at most so many tokens, as its system prompt
// tells it to. A remote.Scorer is one; Local makes one of a verifier.
type Chat interface {
	Chat(ctx context.Context, system, text string, tokens int) (string, error)
}

// Model is a Writer that asks a language model. Chat must be given.
type Model struct {
	Chat   Chat
	System System

	Attempts int // to get an answer that can be used; 0 = 3
	Tokens   int // of an answer, at most; a model that thinks needs thousands; 0 = 512
}

// Question returns the first question that the model would ask about the prompt. The
// error wraps ErrAnswer, dualprocess.ErrTask, or is the model's or the context's.
func (m Model) Question(ctx context.Context, prompt string) (dualprocess.Question, error) {
	return m.first(ctx, cmp.Or(m.System.Question, DefaultSystem().Question), "Caption", prompt)
}

// Questions is Question for so many, all different.
func (m Model) Questions(ctx context.Context, prompt string, n int) ([]dualprocess.Question, error) {
	return m.questions(ctx, cmp.Or(m.System.Question, DefaultSystem().Question), "Caption", prompt, n)
}

// Cover makes a question of a description, that Yes answers where it is true: what the
// paper calls a reliable question. Its errors are those of Question.
func (m Model) Cover(ctx context.Context, description string) (dualprocess.Question, error) {
	q, err := m.first(ctx, cmp.Or(m.System.Cover, DefaultSystem().Cover), "Statement", description)
	if err == nil && q.Answer != "Yes" {
		err = fmt.Errorf("questions: %w: the answer to %q shall be %s", ErrAnswer, q.Text, q.Answer)
	}
	return q, err
}

// Expand returns the prompt with what is to be expected said in words. Its errors are
// those of Question.
func (m Model) Expand(ctx context.Context, prompt string) (expanded string, err error) {
	system := cmp.Or(m.System.Expand, DefaultSystem().Expand)
	err = m.ask(ctx, system, "Caption: "+prompt, prompt, func(text string) (err error) {
		expanded, err = parseExpanded(text, prompt)
		return err
	})
	return expanded, err
}

func (m Model) first(ctx context.Context, system, kind, subject string) (dualprocess.Question, error) {
	all, err := m.questions(ctx, system, kind, subject, 1)
	if err != nil {
		return dualprocess.Question{}, err
	}
	return all[0], nil
}

// maxQuestions are as many as a model is believed to write in one go.
const maxQuestions = 50

func (m Model) questions(ctx context.Context, system, kind, subject string, n int) (all []dualprocess.Question, err error) {
	if n < 1 || n > maxQuestions {
		return nil, fmt.Errorf("questions: %w: there must be 1 to %d questions, not %d", dualprocess.ErrTask, maxQuestions, n)
	}
	text := fmt.Sprintf("%s: %s\nNumber of questions: %d", kind, subject, n)
	err = m.ask(ctx, system, text, subject, func(text string) (err error) {
		all, err = parseQuestions(text, n)
		return err
	})
	return all, err
}

// ask puts a text to the model until what it answers can be read. From the second time
// on it is told why not.
func (m Model) ask(ctx context.Context, system, text, subject string, read func(answer string) error) error {
	if err := m.check(ctx, subject); err != nil {
		return fmt.Errorf("questions: %w", err)
	}
	question, attempts := text, cmp.Or(m.Attempts, 3)
	var failures []error
	for k := range attempts {
		answer, err := m.Chat.Chat(ctx, system, question, cmp.Or(m.Tokens, 512))
		if err != nil {
			return fmt.Errorf("questions: %w", err)
		}
		if err = read(answer); err == nil {
			return nil
		}
		failures = append(failures, fmt.Errorf("attempt %d: %w", k+1, err))
		question = fmt.Sprintf("%s\n\nAn answer before this one could not be used: %v. Answer with the JSON alone.", text, err)
	}
	return fmt.Errorf("questions: %w: about %.80q: %w", ErrAnswer, subject, errors.Join(failures...))
}

func (m Model) check(ctx context.Context, subject string) error {
	if err := errors.Join(arguments.Context(ctx), arguments.Given("Chat", m.Chat)); err != nil {
		return err
	}
	switch {
	case m.Attempts < 0 || m.Tokens < 0:
		return fmt.Errorf("%w: Attempts and Tokens must not be negative", dualprocess.ErrTask)
	case strings.TrimSpace(subject) == "" || !utf8.ValidString(subject):
		return fmt.Errorf("%w: the prompt is empty or not UTF-8", dualprocess.ErrTask)
	}
	return nil
}
