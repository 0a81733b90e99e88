package remote_test

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// answered is what an endpoint answers whatever it is asked.
type answered struct {
	Name        string
	Status      int
	ContentType string `json:"content_type"`
	Body        string
}

// send answers so, unless the request lacks the field that the answer is about.
func (a answered) send(w http.ResponseWriter, _ int, body map[string]any) {
	if _, ok := body["logprobs"]; a.Status == 422 && !ok {
		write(w, 200, completion("Yes", "stop"))
		return
	}
	w.Header().Set("Content-Type", a.ContentType)
	w.Header().Set("Retry-After-Ms", "1")
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// right is what should come of it.
type right struct {
	answer   string
	p        float64
	logProbs bool
	text     string
	err      error
	says     []string
	requests int
}

// TestEndpoints asks endpoints that answer as those of users did.
func TestEndpoints(t *testing.T) {
	raw, err := os.ReadFile("testdata/endpoints.json")
	require.NoError(t, err)
	var cases []answered
	require.NoError(t, json.Unmarshal(raw, &cases))
	want := map[string]right{
		"plain with log-probabilities":    {p: math.Exp(-.1), logProbs: true, text: "Yes", requests: 1},
		"error in a 200, choices null":    {err: remote.ErrUnavailable, says: []string{"429", "Rate limit exceeded"}, requests: 2},
		"error alone in a 200":            {err: remote.ErrUnavailable, says: []string{"502", "Provider returned error"}, requests: 2},
		"error in the choice":             {err: remote.ErrUnavailable, says: []string{"502", "Upstream idle timeout"}, requests: 2},
		"content is a list of parts":      {answer: "Red", p: 1, text: "Red", requests: 1},
		"content is a list with thoughts": {p: 1, text: "Yes", requests: 1},
		"422 whose message is an object":  {p: 1, text: "Yes", requests: 2},
		"an alternative's logprob is null": {
			p: math.Exp(-.1), logProbs: true, text: "Yes", requests: 1},
		"JSON as text/plain": {p: math.Exp(-.1), logProbs: true, text: "Yes", requests: 1},
		"404 without /v1":    {err: remote.ErrRequest, says: []string{"404 page not found", "/chat/completions", "/v1 may be missing"}, requests: 1},
	}
	require.Len(t, cases, len(want))
	for _, c := range cases {
		require.Contains(t, want, c.Name)
		want[c.Name].check(t, c)
	}
}

// check has an endpoint answer and looks at what comes of it.
func (want right) check(t *testing.T, a answered) {
	t.Run(a.Name, func(t *testing.T) {
		e := serve(t, a.send)
		s, err := remote.New(remote.Options{Model: "m", BaseURL: e.URL, Retries: 1})
		require.NoError(t, err)
		answer := want.answer
		if answer == "" {
			answer = "Yes"
		}
		r, err := s.Rate(t.Context(), red, dualprocess.Question{Text: "Is it?", Answer: answer})
		assert.ErrorIs(t, err, want.err)
		for _, words := range want.says {
			assert.ErrorContains(t, err, words)
		}
		if want.err == nil {
			assert.InDelta(t, want.p, r.P, 1e-9)
			assert.Equal(t, want.logProbs, r.FromLogProbs)
			assert.Equal(t, want.text, r.Text)
		}
		assert.Len(t, e.asked(), want.requests)
	})
}

// message is the JSON of an answer whose message has this content.
func message(content string) string {
	return `{"choices":[{"message":{"content":` + content + `},"finish_reason":"stop"}]}`
}

func TestContentInParts(t *testing.T) {
	text := func(text string) right { return right{answer: "Red", p: 1, text: text, requests: 1} }
	for content, want := range map[string]right{
		`[{"type":"text","text":"Re"},{"type":"text","text":"d."}]`: text("Red."),
		`["Red"]`:                      text("Red"),
		`{"type":"text","text":"Red"}`: text("Red"),
		`[{"text":"Red"}]`:             text("Red"),
		`[{"type":"output_text","text":"Red","annotations":[]}]`:                                     text("Red"),
		`[{"type":"reasoning","text":"Blue?"},{"type":"text","text":"Red"}]`:                         text("Red"),
		`[{"type":"text","text":"<think>Blue?</think>"},{"type":"text","text":" Red"}]`:              text("Red"),
		`[{"type":"image_url","image_url":{"url":"x"}},null,7,{"type":"text","text":"Red"},["Red"]]`: text("Red"),
		`[]`:                                     {err: remote.ErrAnswer, requests: 1},
		`[{"type":"thinking","thinking":"Red"}]`: {err: remote.ErrAnswer, requests: 1},
		`[{"type":"refusal","refusal":"I cannot."}]`: {err: remote.ErrAnswer, says: []string{"I cannot."}, requests: 1},
	} {
		want.check(t, answered{content, 200, "application/json", message(content)})
	}
}

func TestErrorsInA200(t *testing.T) {
	unavailable := func(says ...string) right { return right{err: remote.ErrUnavailable, says: says, requests: 2} }
	refused := func(sentinel error, says ...string) right { return right{err: sentinel, says: says, requests: 1} }
	for body, want := range map[string]right{
		`{"error":{"message":"slow","code":"429"}}`:                                         unavailable("429", "slow"),
		`{"error":{"message":"slow","code":"rate_limit_exceeded"}}`:                         unavailable("429", "slow"),
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`:       unavailable("Overloaded"),
		`{"error":{"code":503,"status":"UNAVAILABLE","message":"The model is loaded"}}`:     unavailable("503", "is loaded"),
		`{"error":{"status":"RESOURCE_EXHAUSTED","message":"quota"}}`:                       unavailable("429", "quota"),
		`[{"error":{"code":500,"message":"internal"}}]`:                                     unavailable("500", "internal"),
		`{"error":"overloaded","code":503}`:                                                 unavailable("503", "overloaded"),
		`{"choices":[],"error":{"message":{"detail":[{"msg":"too much"}]},"code":529}}`:     unavailable("529", "too much"),
		`{"error":{"code":502,"message":"Provider","metadata":{"raw":"upstream is gone"}}}`: unavailable("502", "upstream is gone"),
		`{"object":"error","message":"is asleep","type":"x","code":503}`:                    unavailable("503", "is asleep"),
		`{"choices":[{"message":{"content":"Yes"},"error":{"code":504,"message":"cut"}}]}`:  unavailable("504", "cut"),
		`{"error":{"message":"no such key","code":401}}`:                                    refused(remote.ErrKey, "no such key"),
		`{"error":{"message":"a bad picture","code":400}}`:                                  refused(remote.ErrRequest, "a bad picture"),
		`{"error":{"message":"a bad one","type":"invalid_request_error","code":null}}`:      refused(remote.ErrRequest, "a bad one"),
		`{"error":{"message":"no model","code":"model_not_found"}}`:                         refused(remote.ErrRequest, "no model", "/v1 may be missing"),
		`{"error":"no luck"}`:                  refused(remote.ErrResponse, "no luck"),
		`{"error":{"message":"odd","code":7}}`: refused(remote.ErrResponse, "odd"),
		`{"message":"The service is closed"}`:  refused(remote.ErrResponse, "service is closed"),
		`{"choices":[{"message":{"content":""},"finish_reason":"error","error":"gone"}]}`: refused(remote.ErrResponse, "gone"),
		`{"error":null,"choices":[{"message":{"content":"Yes"},"error":null}]}`:           {p: 1, text: "Yes", requests: 1},
		`{"error":{},"choices":[{"message":{"content":"Yes"},"error":""}]}`:               {p: 1, text: "Yes", requests: 1},
	} {
		want.check(t, answered{body, 200, "application/json", body})
	}
}

// An error in a 200 that passes is none.
func TestErrorInA200Passes(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, k int, _ map[string]any) {
		w.Header().Set("Retry-After-Ms", "1")
		write(w, 200, []string{`{"error":{"code":429,"message":"slow"}}`, completion("Yes", "stop")}[min(k, 1)])
	})
	p, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	require.NoError(t, err)
	assert.Equal(t, 1., p)
	assert.Len(t, e.asked(), 2)
}

func TestTypesOfContent(t *testing.T) {
	read := right{p: 1, text: "Yes", requests: 1}
	for _, contentType := range []string{"text/plain", "text/html", "application/octet-stream", "application/problem+json", "no/type; x"} {
		read.check(t, answered{contentType, 200, contentType, completion("Yes", "stop")})
	}
	read.check(t, answered{"mark of UTF-8", 200, "text/plain", "\uFEFF" + completion("Yes", "stop")})
	right{err: remote.ErrResponse, requests: 1}.check(t, answered{"text", 200, "text/plain", "Yes"})
}

// An alternative of which nothing is known is passed over; a token of the answer is
// not, unless its own entry among the alternatives says what it lacks.
func TestUnknownProbabilities(t *testing.T) {
	known := right{p: math.Exp(-.1), logProbs: true, text: "Yes", requests: 1}
	for content, want := range map[string]right{
		`{"token":"Yes","logprob":-0.1,"top_logprobs":[{"token":"No"},{"token":"Yes","logprob":-0.1}]}`:                known,
		`{"token":"Yes","logprob":-0.1,"top_logprobs":[{"token":"No","logprob":"-inf"}]}`:                              known,
		`{"token":"Yes","logprob":-0.1,"top_logprobs":[{"token":null,"logprob":-3},{"logprob":-3},null]}`:              known,
		`{"token":"Yes","logprob":-0.1,"top_logprobs":null}`:                                                           known,
		`{"token":"Yes","logprob":null,"top_logprobs":[{"token":"No","logprob":null},{"token":"Yes","logprob":-0.1}]}`: known,
		`{"token":"Yes","logprob":-0.1,"top_logprobs":[]},{"token":"<|im_end|>","logprob":null}`:                       known,
		`{"token":"<think>","logprob":null},{"token":"</think>"},{"token":"Yes","logprob":-0.1,"top_logprobs":[]}`:     known,
		`{"token":"Yes","logprob":null,"top_logprobs":[{"token":"No","logprob":-3}]}`:                                  {err: remote.ErrResponse, requests: 1},
		`{"token":"\n","logprob":null,"top_logprobs":[]},{"token":"Yes","logprob":-0.1,"top_logprobs":[]}`:             {err: remote.ErrResponse, requests: 1},
	} {
		body := `{"choices":[{"message":{"content":"Yes"},"finish_reason":"stop","logprobs":{"content":[` + content + `]}}]}`
		want.check(t, answered{content, 200, "application/json", body})
	}
}

// Tokens that are not those of the text say nothing about it.
func TestTokensOfSomethingElse(t *testing.T) {
	for _, c := range []struct {
		name, text, answer string
		tokens             []said
		p                  float64
		logProbs           bool
	}{
		{"thoughts", "Yes", "Yes", []said{{"No", .9, map[string]float64{"Yes": .1}}, {" line?", 1, nil}, {" There is.", 1, nil}}, 1, false},
		{"thoughts, then the text", "Yes", "Yes", []said{{"No", .9, nil}, {"? ", 1, nil}, {"Yes", .8, nil}}, 1, false},
		{"thoughts that begin alike", "Yes", "Yes", []said{{"Yes", .6, nil}, {", I should think", 1, nil}}, 1, false},
		{"a word that goes on", "No", "No", []said{{"No", .6, nil}, {"thing", 1, nil}}, 1, false},
		{"a channel", "Yes", "Yes", []said{{"<|channel|>", 1, nil}, {"analysis", 1, nil}, {"Yes", .8, nil}}, 1, false},
		{"a beginning", "Red barn", "red barn", []said{{"Red", .5, nil}}, 1, false},
		{"a letter", "Yes", "Yes", []said{{"Y", .9, map[string]float64{"No": .1}}}, 1, false},
		{"marked thoughts", "Yes", "Yes", []said{{"No", .9, nil}, {"</think>", 1, nil}, {"Yes", .8, nil}}, .8, true},
		{"an end", "Yes", "Yes", []said{{"Yes", .8, nil}, {"<|im_end|>", .9, nil}}, .8, true},
		{"another end", "Yes", "Yes", []said{{"▁Yes", .8, nil}, {"</s>", .9, nil}}, .8, true},
		{"a stop", "Yes", "Yes", []said{{"Yes", .8, nil}, {".\n", .9, nil}}, .8, true},
		{"nothing at the end", "Yes", "Yes", []said{{" Yes", .8, nil}, {"", 1, nil}}, .8, true},
		{"a cut character", "Yes \uFFFD", "Yes", []said{{"Yes", .8, nil}, {" \uFFFD", 1, nil}}, .8, true},
		{"a list cut short", "Yes, it is", "Yes", []said{{"Yes", .8, nil}, {",", 1, nil}}, .8, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := serve(t, always(200, completion(c.text, "stop", c.tokens...)))
			q := dualprocess.Question{Text: "Is it?", Answer: c.answer}
			r, err := e.scorer(t, remote.Options{}).Rate(t.Context(), red, q)
			require.NoError(t, err)
			assert.InDelta(t, c.p, r.P, 1e-9)
			assert.Equal(t, c.logProbs, r.FromLogProbs)
			_, err = e.scorer(t, remote.Options{Basis: remote.LogProbs}).Rate(t.Context(), red, q)
			if c.logProbs {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, remote.ErrNoLogProbs)
			}
		})
	}
}
