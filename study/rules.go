package study

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// Rule is a piece of common sense, in the form of CommonsenseT2I (Fu et al. 2024): two
// prompts that differ in little, and what their pictures must show without having been
// asked for it in words.
type Rule struct {
	Category   string
	Likelihood int // of what is expected, in the benchmark's own scale; 0 = not said
	Sides      [2]Side
}

// Side is one of the two prompts of a rule.
type Side struct {
	Prompt      string
	Description string // that the picture must fit, and the other side's must not

	// These are not in the published data. What is empty is written by the study's
	// Writer or left out, where the study says so.
	Expanded string // the prompt with what is expected said in words
	Question string // that a picture with what is expected answers with Answer
	Answer   string // "" = Yes
	Vague    string // a question that misses what is expected: its answer is Yes either way
}

// question is what the verifier is asked in training.
func (s Side) question() dualprocess.Question {
	answer := s.Answer
	if answer == "" {
		answer = "Yes"
	}
	return dualprocess.Question{Text: s.Question, Answer: answer}
}

// ruleJSON is a rule in the published file, data.json of the Hugging Face dataset
// CommonsenseT2I/CommonsensenT2I, and after them our additions.
type ruleJSON struct {
	Prompt1      string `json:"prompt1"`
	Prompt2      string `json:"prompt2"`
	Description1 string `json:"description1"`
	Description2 string `json:"description2"`
	Category     string `json:"category"`
	Likelihood   any    `json:"likelihood"` // a number, in some copies as text

	Expanded1 string `json:"expanded1"`
	Expanded2 string `json:"expanded2"`
	Question1 string `json:"question1"`
	Question2 string `json:"question2"`
	Answer1   string `json:"answer1"`
	Answer2   string `json:"answer2"`
	Vague1    string `json:"vague1"`
	Vague2    string `json:"vague2"`
}

// ReadRules reads rules from a file: CommonsenseT2I's data.json as it is published, or
// one rule per line.
func ReadRules(path string) ([]Rule, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("study: rules: %w", err)
	}
	rules, err := ParseRules(data)
	if err != nil {
		return nil, fmt.Errorf("study: rules: %s: %w", path, err)
	}
	return rules, nil
}

// ParseRules reads rules from JSON: an array of objects, or objects one after another.
// Fields that it does not know are passed over. The error wraps ErrSettings.
func ParseRules(data []byte) ([]Rule, error) {
	var read []ruleJSON
	if text := strings.TrimSpace(string(data)); strings.HasPrefix(text, "[") {
		if err := json.Unmarshal(data, &read); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSettings, err)
		}
	} else {
		for lines := json.NewDecoder(strings.NewReader(text)); lines.More(); {
			var r ruleJSON
			if err := lines.Decode(&r); err != nil {
				return nil, fmt.Errorf("%w: rule %d: %w", ErrSettings, len(read)+1, err)
			}
			read = append(read, r)
		}
	}
	if len(read) == 0 {
		return nil, fmt.Errorf("%w: there are no rules", ErrSettings)
	}
	rules := make([]Rule, len(read))
	for k, r := range read {
		var err error
		if rules[k], err = r.rule(); err != nil {
			return nil, fmt.Errorf("%w: rule %d: %w", ErrSettings, k+1, err)
		}
	}
	return rules, nil
}

func (r ruleJSON) rule() (Rule, error) {
	for field, value := range map[string]string{
		"prompt1": r.Prompt1, "prompt2": r.Prompt2, "description1": r.Description1, "description2": r.Description2, "category": r.Category,
	} {
		if strings.TrimSpace(value) == "" {
			return Rule{}, fmt.Errorf("%s is empty", field)
		}
	}
	rule := Rule{Category: r.Category, Sides: [2]Side{
		{r.Prompt1, oneLine(r.Description1), r.Expanded1, r.Question1, r.Answer1, r.Vague1},
		{r.Prompt2, oneLine(r.Description2), r.Expanded2, r.Question2, r.Answer2, r.Vague2},
	}}
	if n, ok := r.Likelihood.(float64); ok {
		rule.Likelihood = int(n)
	}
	return rule, nil
}

// oneLine joins the lines of a description as the benchmark's own evaluation does.
func oneLine(description string) string { return strings.ReplaceAll(description, "\n", ", ") }
