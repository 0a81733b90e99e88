package questions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Bounds of what a model may write.
const (
	maxAnswer   = 1 << 16 // bytes, all of it
	minQuestion = 8       // characters
	maxQuestion = 300
	maxExpanded = 1200
)

// fence finds the fence of Markdown that models like to put around JSON.
var fence = regexp.MustCompile("(?s)^```[A-Za-z]*\\s*\n(.*?)\n?\\s*```$")

// decode reads one JSON object, and nothing else, into v.
func decode(text string, v any) error {
	if len(text) > maxAnswer {
		return fmt.Errorf("it has %d bytes, more than %d", len(text), maxAnswer)
	}
	if !utf8.ValidString(text) {
		return errors.New("it is not UTF-8")
	}
	text = strings.TrimSpace(text)
	if inside := fence.FindStringSubmatch(text); inside != nil {
		text = strings.TrimSpace(inside[1])
	}
	if !strings.HasPrefix(text, "{") {
		return errors.New("it is not a JSON object alone")
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("it is not the JSON that was asked for: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON")
	}
	return nil
}

// parseQuestions reads n questions with their answers.
func parseQuestions(text string, n int) ([]dualprocess.Question, error) {
	var written struct {
		Questions []struct {
			Question string `json:"question"`
			Answer   string `json:"answer"`
		} `json:"questions"`
	}
	if err := decode(text, &written); err != nil {
		return nil, err
	}
	if len(written.Questions) != n {
		return nil, fmt.Errorf("it has %d questions in place of %d", len(written.Questions), n)
	}
	all := make([]dualprocess.Question, n)
	var asked []string
	for k, w := range written.Questions {
		q, err := checkQuestion(w.Question, w.Answer)
		if err != nil {
			return nil, fmt.Errorf("question %d: %w", k+1, err)
		}
		if words := letters(q.Text); slices.Contains(asked, words) {
			return nil, fmt.Errorf("question %d is there twice", k+1)
		} else {
			asked = append(asked, words)
		}
		all[k] = q
	}
	return all, nil
}

// openings begin questions that Yes or No answers.
var openings = []string{
	"is", "are", "was", "were", "does", "do", "did", "has", "have", "had", "can", "could", "will", "would", "should",
	"isn't", "aren't", "doesn't", "don't", "hasn't", "haven't", "can't",
}

// checkQuestion returns a question whose form is right.
func checkQuestion(text, answer string) (dualprocess.Question, error) {
	text = strings.TrimSpace(text)
	if err := checkLine(text, minQuestion, maxQuestion); err != nil {
		return dualprocess.Question{}, err
	}
	first, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(text, "’", "'")), " ")
	switch {
	case !strings.HasSuffix(text, "?") || strings.Count(text, "?") > 1:
		return dualprocess.Question{}, errors.New("it does not end with its only question mark")
	case !slices.Contains(openings, first):
		return dualprocess.Question{}, fmt.Errorf("it begins with %.20q, which is not how a question for Yes or No begins", first)
	}
	for _, known := range []string{"Yes", "No"} {
		if strings.EqualFold(strings.TrimSpace(answer), known) {
			return dualprocess.Question{Text: text, Answer: known}, nil
		}
	}
	return dualprocess.Question{}, fmt.Errorf("its answer is %.20q and not Yes or No", answer)
}

// parseExpanded reads an expanded prompt.
func parseExpanded(text, prompt string) (string, error) {
	var written struct {
		Prompt string `json:"prompt"`
	}
	if err := decode(text, &written); err != nil {
		return "", err
	}
	expanded := strings.TrimSpace(written.Prompt)
	if err := checkLine(expanded, 1, maxExpanded); err != nil {
		return "", fmt.Errorf("the prompt: %w", err)
	}
	if letters(expanded) == letters(prompt) {
		return "", errors.New("the prompt is the caption unchanged")
	}
	return expanded, nil
}

// checkLine checks that a text is one line of so many characters.
func checkLine(text string, shortest, longest int) error {
	if n := utf8.RuneCountInString(text); n < shortest || n > longest {
		return fmt.Errorf("it has %d characters and not %d to %d", n, shortest, longest)
	}
	if strings.IndexFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) >= 0 {
		return errors.New("it has line breaks or characters that cannot be printed")
	}
	return nil
}

// letters are those of a text, and its digits, in lower case: what is left is the same
// of two texts that say the same.
func letters(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ")
}
