package remote

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// list makes tokens of pairs of text and probability, the token that was said
// first.
func list(tokens ...[]choice) []token {
	var out []token
	for _, t := range tokens {
		out = append(out, token{t[0], t[1:]})
	}
	return out
}

func TestProbability(t *testing.T) {
	for name, c := range map[string]struct {
		tokens        []token
		wanted        string
		p, unresolved float64
	}{
		"the token":          {list([]choice{{"Yes", .9}, {"No", .05}}), "yes", .9, 0},
		"an alternative":     {list([]choice{{"Yes", .9}, {"No", .05}}), "no", .05, 0},
		"not listed":         {list([]choice{{"Maybe", .9}}), "yes", 0, 0},
		"no tokens":          {nil, "yes", 0, 0},
		"spellings":          {list([]choice{{"Yes", .5}, {" Yes", .1}, {"yes", .05}, {"▁YES", .02}, {"ĠYes", .01}, {"Yes", .03}}), "yes", .71, 0},
		"decoration":         {list([]choice{{"**", .5}, {"Yes", .2}, {"\"Yes", .1}}, []choice{{"Yes", .8}, {"No", .2}}), "yes", .7, 0},
		"and on":             {list([]choice{{"Yes.", .5}, {"Yes\n\n", .2}, {"No,", .1}}), "yes", .7, 0},
		"another word":       {list([]choice{{"Nothing", .5}, {"None", .2}, {"No", .1}, {"Not", .1}}), "no", .1, 0},
		"beginnings":         {list([]choice{{"Yes", .5}, {"N", .2}, {"n", .1}, {"\n", .1}}), "no", 0, .4},
		"rounding":           {list([]choice{{"Yes", 1}, {"yes", 1e-7}}), "yes", 1, 0},
		"two tokens":         {list([]choice{{"red", .5}}, []choice{{" barn", .5}, {" house", .3}}), "redbarn", .5, 0},
		"two, first unlike":  {list([]choice{{"A", .5}, {"a", .25}, {"red", .1}}, []choice{{" barn", .5}}), "redbarn", 0, .1},
		"two or one":         {list([]choice{{"red", .5}, {"Red barn", .3}}, []choice{{" barn", .02}}), "redbarn", .31, 0},
		"decorated two":      {list([]choice{{"\"", 1}}, []choice{{"red", .64}}, []choice{{" barn", 1}}), "redbarn", .8, 0},
		"three, second else": {list([]choice{{"r", 1}}, []choice{{"usty", .6}, {"ed ", .4}}, []choice{{" barn", 1}}), "redbarn", 0, .4},
		"cut characters":     {list([]choice{{"\xc3", .81}}, []choice{{"\xa9", 1}}), "é", .9, 0},
		"cut decoration":     {list([]choice{{"\xe2\x9c", 1}}, []choice{{"\x85", 1}}, []choice{{" Yes", .9}}), "yes", .9, 0},
		"answer is a number": {list([]choice{{"-", 1}, {"3", .1}}, []choice{{"3", .25}, {"4", .5}}), "-3", .5, 0},
		"empty token":        {list([]choice{{"", 1}}, []choice{{"Yes", .9}}), "yes", .9, 0},
	} {
		p, unresolved := probability(c.tokens, c.wanted)
		assert.InDelta(t, c.p, p, 1e-6, name)
		assert.InDelta(t, c.unresolved, unresolved, 1e-6, name)
	}
}

func TestYesOrNo(t *testing.T) {
	for text, want := range map[string]string{
		"Yes": yes, "yes.": yes, "YES!": yes, " Yes, the horizon is on it.": yes, "**Yes**": yes, "\"No\"": no, "no": no, "No.": no,
		"No, there is not.": no, "- Yes": yes, "(yes)": yes, "No — it is above.": no, "Yes\nNo doubt about it.": yes, "<b>No</b>": "",
		"The answer is yes.": yes, "Answer: **No**": no, "It is above the line. The answer is: No.": no, "Final answer = yes": yes,
		"First I thought the answer is yes, but the answer is no": no, "The line is red.\n\nYes.": yes, "It is not.\n**No**\n": no,
		"Yes and no.": "", "Yes/No": "", "yes or no?": "", "No, yes, no": no, "Yes, no doubt": yes, "yes|no": "", "Yes, and no one else": yes, "The answer is yes or no.": "", "": "", "...": "",
		"There is no furniture.": "", "Nothing.": "", "Yesterday": "", "Not at all": "", "It is hard to say": "", "I know": "", "Noon": "", "n": "",
		"ja": "", "The answer is not yes": "", "Nope": "", "\xff\xfe": "",
	} {
		said, decided := yesOrNo(text)
		got := ""
		if decided {
			got = map[bool]string{true: yes, false: no}[said]
		}
		assert.Equal(t, want, got, "%q", text)
	}
}

func TestRateText(t *testing.T) {
	for _, c := range []struct {
		text, answer string
		p            float64
	}{
		{"A red barn.", "a red barn", 1}, {"\"Red\", I think", "red", 1}, {"Redder than that", "red", 0}, {"red barn", "Red", 1},
		{"blue", "red", 0}, {"the red one", "red", 0}, {"-3 degrees", "-3", 1}, {"3", "-3", 0}, {"ÉTÉ", "été", 1}, {"reds", "red s", 0},
	} {
		r, ok := rateText(c.text, c.answer)
		assert.True(t, ok)
		assert.Equal(t, c.p, r.P, "%q %q", c.text, c.answer)
	}
}

func TestAnswerText(t *testing.T) {
	for text, want := range map[string]string{
		" Yes\n": "Yes", "<think>No</think>Yes": "Yes", "<think>\n</think>\n\nYes": "Yes", "<think>hm": "", "hm</think> No": "No", "1 < 2": "1 < 2",
	} {
		assert.Equal(t, want, answerText(text))
	}
}

// Whatever a model says, the results are probabilities, and Yes and No exclude
// each other.
func FuzzAnswers(f *testing.F) {
	for _, text := range []string{"Yes", "**No**", "The answer is: yes", "<think>No</think>Yes", "N\xc3", "Yes/no", ""} {
		f.Add(text, "Yes")
		f.Add(text, "a red barn")
	}
	f.Fuzz(func(t *testing.T, text, answer string) {
		if fold(answer) == "" {
			return
		}
		r, _ := rateText(answerText(text), answer)
		assert.Contains(t, []float64{0, 1}, r.P)
		assert.LessOrEqual(t, r.Yes+r.No, 1.)
		var tokens []token
		for k := range len(text) {
			tokens = append(tokens, token{choice{text[k : k+1], .9}, []choice{{text[k:], .1}}})
		}
		r, _ = rateTokens(reply{text, afterThoughts(tokens)}, answer)
		for _, p := range []float64{r.P, r.Yes, r.No, r.Unresolved} {
			assert.False(t, math.IsNaN(p) || p < 0 || p > 1)
		}
	})
}

// Whatever an endpoint sends, reading it ends in a reply or an error, and a reply's
// ratings are probabilities.
func FuzzResponses(f *testing.F) {
	for _, body := range []string{
		`{"choices":[{"message":{"content":"Yes"},"logprobs":{"content":[{"token":"Yes","logprob":-1,"top_logprobs":[{"token":"No","logprob":null}]}]}}]}`,
		`{"choices":[{"message":{"content":[{"type":"text","text":"Yes"}]}}]}`,
		`{"choices":[{"message":{"content":""},"error":{"code":502,"message":"x"}}]}`,
		`{"error":{"message":{"detail":[{"loc":["body",0],"msg":"x"}]},"code":"rate_limit"}}`,
		`[{"detail":"x"}]`, "x", "",
	} {
		f.Add([]byte(body))
	}
	s, err := New(Options{Model: "m", BaseURL: "http://localhost/v1"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body []byte) {
		fault, status := faultIn(body)
		assert.True(t, status == 0 || status >= 400 && status < 600)
		assert.LessOrEqual(t, len([]rune(statusError(422, body, s.hide).Message)), 301)
		_ = words(fault)
		var c openai.ChatCompletion
		if json.Unmarshal(body, &c) != nil {
			return
		}
		reply, err := s.read(&c)
		if err != nil {
			return
		}
		r, err := s.rate(reply, "Yes")
		assert.True(t, err != nil || r.P >= 0 && r.P <= 1, "%v", r)
	})
}
