package questions

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

const two = `{"questions": [{"question": "Is the lake frozen?", "answer": "yes"}, {"question": " Does the pen look bent? ", "answer": "No"}]}`

func TestParseQuestions(t *testing.T) {
	want := []dualprocess.Question{{Text: "Is the lake frozen?", Answer: "Yes"}, {Text: "Does the pen look bent?", Answer: "No"}}
	for name, text := range map[string]string{
		"plain":    two,
		"spaces":   "\n\n " + two + "\n",
		"fence":    "```json\n" + two + "\n```",
		"no name":  "```\n" + two + "```\n",
		"indented": strings.ReplaceAll(two, ", ", ",\n\t"),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseQuestions(text, 2)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
	one := func(question, answer string) string {
		return `{"questions": [{"question": "` + question + `", "answer": "` + answer + `"}]}`
	}
	for name, test := range map[string]struct{ text, says string }{
		"nothing":     {"", "not a JSON object"},
		"chat":        {"Sure! " + two, "not a JSON object"},
		"after":       {two + "\nI hope this helps.", "follows"},
		"two objects": {two + two, "follows"},
		"list":        {`["Is it red?"]`, "not a JSON object"},
		"cut off":     {two[:60], "unexpected EOF"},
		"field":       {`{"questions": [], "note": "none"}`, "note"},
		"kind":        {`{"questions": "Is it red?"}`, "string"},
		"count":       {two, "2 questions in place of 1"},
		"open":        {one("What colour is it?", "Yes"), `begins with "what"`},
		"statement":   {one("Is it red, or so it seems", "Yes"), "question mark"},
		"several":     {one("Is it red? Is it blue?", "Yes"), "question mark"},
		"suffix":      {one("Is it red? Answer with Yes or No.", "Yes"), "question mark"},
		"answer":      {one("Is it red or blue?", "Blue"), `"Blue"`},
		"no answer":   {one("Is it red or blue?", ""), "Yes or No"},
		"short":       {one("Is it?", "Yes"), "6 characters"},
		"long":        {one("Is it "+strings.Repeat("very ", 100)+"red?", "Yes"), "characters"},
		"lines":       {one(`Is it\nred?`, "Yes"), "line breaks"},
		"not UTF-8":   {one("Is it \xff red?", "Yes"), "UTF-8"},
		"huge":        {two + strings.Repeat(" ", maxAnswer), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseQuestions(test.text, 1)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, err := parseQuestions(strings.ReplaceAll(two, " Does the pen look bent? ", "is the Lake frozen ?"), 2)
	require.ErrorContains(t, err, "question 2 is there twice")
}

func TestParseExpanded(t *testing.T) {
	got, err := parseExpanded(`{"prompt": " A frozen lake in winter. "}`, "a lake in winter")
	require.NoError(t, err)
	require.Equal(t, "A frozen lake in winter.", got)
	for name, test := range map[string]struct{ text, says string }{
		"empty":     {`{"prompt": " "}`, "0 characters"},
		"missing":   {`{}`, "0 characters"},
		"unchanged": {`{"prompt": "A lake, in winter."}`, "unchanged"},
		"long":      {`{"prompt": "` + strings.Repeat("ice ", 400) + `"}`, "characters"},
		"lines":     {`{"prompt": "ice\n\nand snow"}`, "line breaks"},
		"bare":      {`a frozen lake`, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseExpanded(test.text, "a lake in winter")
			require.ErrorContains(t, err, test.says)
		})
	}
}

// FuzzParse: what is read holds what the checks promise, and is read the same again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{two, "```json\n" + two + "\n```", `{"prompt": "a frozen lake"}`, `{"questions": [{}]}`, "```", "{", "[[[[", two + "x", `{"questions":null}`} {
		f.Add(seed, 2)
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		if expanded, err := parseExpanded(text, "a lake"); err == nil {
			require.NotEmpty(t, expanded)
			require.LessOrEqual(t, utf8.RuneCountInString(expanded), maxExpanded)
			require.NotContains(t, expanded, "\n")
			require.True(t, utf8.ValidString(expanded))
		}
		all, err := parseQuestions(text, n)
		if err != nil {
			return
		}
		require.Len(t, all, n)
		seen := map[string]bool{}
		for _, q := range all {
			require.True(t, utf8.ValidString(q.Text))
			require.Equal(t, strings.TrimSpace(q.Text), q.Text)
			require.True(t, strings.HasSuffix(q.Text, "?"))
			require.Contains(t, []string{"Yes", "No"}, q.Answer)
			require.False(t, seen[letters(q.Text)])
			seen[letters(q.Text)] = true
			again, err := checkQuestion(q.Text, q.Answer)
			require.NoError(t, err)
			require.Equal(t, q, again)
		}
	})
}
