package questions_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/study/questions"
	"github.com/dualprocess/dualprocess-go/verifier/pocket"
)

var _ study.Writer = questions.Writer(nil)

// script is a model that says one thing after the other, and notes what it is told.
type script struct {
	says   []string
	err    error
	system []string
	text   []string
	tokens []int
}

func (s *script) Chat(_ context.Context, system, text string, tokens int) (string, error) {
	s.system, s.text, s.tokens = append(s.system, system), append(s.text, text), append(s.tokens, tokens)
	if len(s.text) > len(s.says) {
		return "", s.err
	}
	return s.says[len(s.text)-1], nil
}

func one(question, answer string) string {
	return `{"questions": [{"question": "` + question + `", "answer": "` + answer + `"}]}`
}

// TestQuestion: what cannot be used is asked for again, with the reason.
func TestQuestion(t *testing.T) {
	s := &script{says: []string{"I think it is frozen.", one("Is the lake frozen?", "maybe"), one("Is the lake frozen?", "Yes")}}
	q, err := questions.Model{Chat: s}.Question(t.Context(), "a lake in winter")
	require.NoError(t, err)
	require.Equal(t, dualprocess.Question{Text: "Is the lake frozen?", Answer: "Yes"}, q)
	require.Equal(t, []int{512, 512, 512}, s.tokens)
	for k, text := range s.text {
		require.Equal(t, questions.DefaultSystem().Question, s.system[k])
		require.Contains(t, text, "Caption: a lake in winter\nNumber of questions: 1")
	}
	require.NotContains(t, s.text[0], "could not be used")
	require.Contains(t, s.text[1], "could not be used: it is not a JSON object alone")
	require.Contains(t, s.text[2], "maybe")
}

func TestQuestions(t *testing.T) {
	s := &script{says: []string{`{"questions": [{"question": "Is there ice?", "answer": "yes"}, {"question": "Are there waves?", "answer": "no"}]}`}}
	all, err := questions.Model{Chat: s, System: questions.System{Question: "Own."}, Tokens: 99}.Questions(t.Context(), "a lake in winter", 2)
	require.NoError(t, err)
	require.Equal(t, []dualprocess.Question{{Text: "Is there ice?", Answer: "Yes"}, {Text: "Are there waves?", Answer: "No"}}, all)
	require.Equal(t, []string{"Own."}, s.system)
	require.Equal(t, []int{99}, s.tokens)
	require.Contains(t, s.text[0], "Number of questions: 2")
}

func TestExpandAndCover(t *testing.T) {
	s := &script{says: []string{`{"prompt": "A lake in winter, covered with ice."}`, one("Is the lake frozen?", "Yes"), one("Is the lake liquid?", "No")}}
	m := questions.Model{Chat: s}
	expanded, err := m.Expand(t.Context(), "a lake in winter")
	require.NoError(t, err)
	require.Equal(t, "A lake in winter, covered with ice.", expanded)
	q, err := m.Cover(t.Context(), "The lake is frozen.")
	require.NoError(t, err)
	require.Equal(t, "Is the lake frozen?", q.Text)
	require.Equal(t, []string{questions.DefaultSystem().Expand, questions.DefaultSystem().Cover}, s.system)
	require.Contains(t, s.text[1], "Statement: The lake is frozen.")
	_, err = m.Cover(t.Context(), "The lake is frozen.")
	require.ErrorIs(t, err, questions.ErrAnswer)
}

func TestRefused(t *testing.T) {
	bad := &script{says: []string{"1", "2", "3", "4"}}
	_, err := questions.Model{Chat: bad, Attempts: 2}.Question(t.Context(), "a lake")
	require.ErrorIs(t, err, questions.ErrAnswer)
	require.ErrorContains(t, err, "attempt 2")
	require.Len(t, bad.text, 2)
	broken := errors.New("broken")
	_, err = questions.Model{Chat: &script{err: broken}}.Expand(t.Context(), "a lake")
	require.ErrorIs(t, err, broken)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		m      questions.Model
		prompt string
		n      int
		ctx    context.Context
		want   error
	}{
		"no chat":  {questions.Model{}, "a lake", 1, t.Context(), dualprocess.ErrTask},
		"no model": {questions.Model{Chat: questions.Local{}}, "a lake", 1, t.Context(), dualprocess.ErrTask},
		"empty":    {questions.Model{Chat: bad}, " ", 1, t.Context(), dualprocess.ErrTask},
		"none":     {questions.Model{Chat: bad}, "a lake", 0, t.Context(), dualprocess.ErrTask},
		"many":     {questions.Model{Chat: bad}, "a lake", 51, t.Context(), dualprocess.ErrTask},
		"attempts": {questions.Model{Chat: bad, Attempts: -1}, "a lake", 1, t.Context(), dualprocess.ErrTask},
		"tokens":   {questions.Model{Chat: bad, Tokens: -1}, "a lake", 1, t.Context(), dualprocess.ErrTask},
		"context":  {questions.Model{Chat: bad}, "a lake", 1, ended, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.m.Questions(test.ctx, test.prompt, test.n)
			require.ErrorIs(t, err, test.want)
			require.Equal(t, 1, strings.Count(err.Error(), "questions: "), err)
		})
	}
	require.Len(t, bad.text, 2, "none of these was asked")
}

// TestLocal asks a real model, which knows few words: it answers one question, with
// one of them, which is no JSON.
func TestLocal(t *testing.T) {
	v, err := pocket.Open(t.Context(), golden.Runtime(t), pocket.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, v.Close()) }()
	said, err := questions.Local{Model: v}.Chat(t.Context(), "Is there a lake in the picture?", "", 8)
	require.NoError(t, err)
	require.Contains(t, []string{"yes", "no"}, said)
	_, err = questions.Model{Chat: questions.Local{Model: v}}.Question(t.Context(), "a lake in winter")
	require.ErrorIs(t, err, pocket.ErrUnknownWord)
}

func TestTable(t *testing.T) {
	table := questions.Table{"a cup": {Expanded: "a red cup"}, "a pen": {Question: dualprocess.Question{Text: "Is it bent?", Answer: "Yes"}}}
	for name, test := range map[string]struct {
		writer           questions.Writer
		prompt           string
		expanded, asked  string
		answer           string
		noExpanded, noQA bool
	}{
		"expanded": {writer: table, prompt: "a cup", expanded: "a red cup", noQA: true},
		"question": {writer: table, prompt: "a pen", asked: "Is it bent?", answer: "Yes", noExpanded: true},
		"neither":  {writer: table, prompt: "a", noExpanded: true, noQA: true},
	} {
		t.Run(name, func(t *testing.T) {
			expanded, err := test.writer.Expand(t.Context(), test.prompt)
			require.Equal(t, test.noExpanded, errors.Is(err, questions.ErrUnwritten), err)
			require.Equal(t, test.expanded, expanded)
			q, err := test.writer.Question(t.Context(), test.prompt)
			require.Equal(t, test.noQA, errors.Is(err, questions.ErrUnwritten), err)
			require.Equal(t, dualprocess.Question{Text: test.asked, Answer: test.answer}, q)
		})
	}
}
