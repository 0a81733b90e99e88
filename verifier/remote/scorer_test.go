package remote_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

func TestRequest(t *testing.T) {
	t.Setenv("TEST_KEY", secret+"\n")
	e := serve(t, always(200, completion("Yes", "stop")))
	s := e.scorer(t, remote.Options{Model: "some/model", KeyVariable: "TEST_KEY", Detail: "low", Extra: map[string]any{
		"reasoning_effort": "none", "chat_template_kwargs": map[string]any{"enable_thinking": false},
	}})
	half := plain(4, 3, color.NRGBA{255, 0, 0, 128})
	_, err := s.Score(t.Context(), half, question)
	require.NoError(t, err)

	r := e.asked()[0]
	assert.Equal(t, "/v1/chat/completions", r.path)
	assert.Equal(t, []string{"Bearer " + secret}, r.header["Authorization"])
	img, text := sent(t, r.body)
	assert.Equal(t, "Is it red? Answer with Yes or No.", text)
	assert.Equal(t, image.Rect(0, 0, 4, 3), img.Bounds())
	assert.Equal(t, color.RGBA{255, 127, 127, 255}, color.RGBAModel.Convert(img.At(1, 1)), "over white")
	for field, want := range map[string]any{
		"model": "some/model", "logprobs": true, "top_logprobs": 20., "temperature": 0., "max_tokens": 16.,
		"reasoning_effort": "none", "chat_template_kwargs": map[string]any{"enable_thinking": false},
	} {
		assert.Equal(t, want, r.body[field], field)
	}
	assert.NotContains(t, r.body, "max_completion_tokens")
}

func TestScoreFromLogProbs(t *testing.T) {
	e := serve(t, always(200, completion("Yes.", "stop",
		said{"Yes", .5, map[string]float64{" yes": .1, "No": .2, "Maybe": .05}}, said{".", .9, nil})))
	s := e.scorer(t, remote.Options{})
	r, err := s.Rate(t.Context(), red, question)
	require.NoError(t, err)
	assert.InDelta(t, .6, r.P, 1e-9)
	assert.InDelta(t, .6, r.Yes, 1e-9)
	assert.InDelta(t, .2, r.No, 1e-9)
	assert.InDelta(t, .75, r.Normalised(), 1e-9)
	assert.True(t, r.FromLogProbs)
	assert.Equal(t, "Yes.", r.Text)

	p, err := s.YesNo(t.Context(), red, dualprocess.Question{Text: "Is it red?"})
	require.NoError(t, err)
	assert.InDelta(t, .75, p, 1e-9)
	for answer, want := range map[string][2]float64{"Yes": {.6, .75}, " no": {.2, .25}, "maybe": {.05, .05}} {
		q := dualprocess.Question{Text: "Is it red?", Answer: answer}
		p, err := s.Score(t.Context(), red, q)
		require.NoError(t, err)
		assert.InDelta(t, want[0], p, 1e-9, answer)
		p, err = e.scorer(t, remote.Options{Normalise: true}).Score(t.Context(), red, q)
		require.NoError(t, err)
		assert.InDelta(t, want[1], p, 1e-9, answer)
	}
}

func TestScoreFromText(t *testing.T) {
	e := serve(t, always(200, completion("No, it is blue.", "stop")))
	s := e.scorer(t, remote.Options{Normalise: true})
	p, err := s.Score(t.Context(), red, question)
	require.NoError(t, err)
	assert.Zero(t, p)
	p, err = s.Score(t.Context(), red, dualprocess.Question{Text: "Is it red?", Answer: "No"})
	require.NoError(t, err)
	assert.Equal(t, 1., p)

	_, err = e.scorer(t, remote.Options{Basis: remote.LogProbs}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrNoLogProbs)

	e = serve(t, always(200, completion("It is hard to say.", "stop")))
	_, err = e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrAnswer)
	assert.ErrorContains(t, err, "hard to say")
}

// Log-probabilities that say nothing about Yes and No leave the text to be read,
// and a Scorer that shall read texts does not ask for them.
func TestBasis(t *testing.T) {
	e := serve(t, always(200, completion("The answer is yes.", "stop",
		said{"The", .9, map[string]float64{"It": .1}}, said{" answer", 1, nil})))
	r, err := e.scorer(t, remote.Options{}).Rate(t.Context(), red, question)
	require.NoError(t, err)
	assert.Equal(t, remote.Rating{P: 1, Yes: 1, Text: "The answer is yes."}, r)
	_, err = e.scorer(t, remote.Options{Basis: remote.LogProbs}).Rate(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrAnswer)

	_, err = e.scorer(t, remote.Options{Basis: remote.Text}).Rate(t.Context(), red, question)
	require.NoError(t, err)
	assert.NotContains(t, e.asked()[2].body, "logprobs")
	assert.NotContains(t, e.asked()[2].body, "top_logprobs")
}

// A model of OpenAI's that thinks: no log-probabilities, no temperature, another
// name of the bound, and an answer that begins after many tokens.
func TestScorerLearnsTheDialect(t *testing.T) {
	refuse := func(w http.ResponseWriter, param, message string) {
		write(w, 400, fmt.Sprintf(`{"error":{"message":%q,"type":"invalid_request_error","param":%q,"code":"unsupported_parameter"}}`, message, param))
	}
	e := serve(t, func(w http.ResponseWriter, _ int, body map[string]any) {
		has := func(field string) bool { _, ok := body[field]; return ok }
		switch {
		case has("max_tokens"):
			refuse(w, "max_tokens", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
		case has("logprobs"):
			refuse(w, "logprobs", "logprobs are not supported with this model")
		case has("temperature"):
			refuse(w, "temperature", "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.")
		case body["max_completion_tokens"] == 16.:
			write(w, 200, completion("", "length"))
		default:
			write(w, 200, completion("Yes", "stop"))
		}
	})
	s := e.scorer(t, remote.Options{})
	for range 2 {
		p, err := s.Score(t.Context(), red, question)
		require.NoError(t, err)
		assert.Equal(t, 1., p)
	}
	assert.Len(t, e.asked(), 6, "learned once")

	_, err := e.scorer(t, remote.Options{Basis: remote.LogProbs}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrNoLogProbs)
	var status *remote.StatusError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, 400, status.Status)
	_, err = e.scorer(t, remote.Options{MaxTokens: 16}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrAnswer)
	assert.ErrorContains(t, err, "length")
}

func TestFewerAlternatives(t *testing.T) {
	for _, message := range []string{
		`{"detail":[{"loc":["body","top_logprobs"],"msg":"Input should be less than or equal to 5"}]}`,
		`{"error":{"message":"Requested sample logprobs of 20, which is greater than max allowed: 5","code":400}}`,
	} {
		e := serve(t, func(w http.ResponseWriter, _ int, body map[string]any) {
			if body["top_logprobs"].(float64) > 5 {
				write(w, 422, message)
				return
			}
			write(w, 200, completion("Yes", "stop", said{"Yes", .7, nil}))
		})
		p, err := e.scorer(t, remote.Options{Basis: remote.LogProbs}).Score(t.Context(), red, question)
		require.NoError(t, err)
		assert.InDelta(t, .7, p, 1e-9)
	}
}

func TestThoughtsAreSkipped(t *testing.T) {
	e := serve(t, always(200, completion("<think>No, or yes?</think>\n\nNo", "stop",
		said{"<think>", 1, nil}, said{"No", .9, nil}, said{", or yes?", 1, nil}, said{"</think>", 1, nil}, said{"\n\n", .8, nil},
		said{"No", .9, map[string]float64{"Yes": .1}})))
	r, err := e.scorer(t, remote.Options{}).Rate(t.Context(), red, question)
	require.NoError(t, err)
	assert.InDelta(t, .08, r.P, 1e-9)
	assert.Equal(t, "No", r.Text)
}

func TestRefusal(t *testing.T) {
	e := serve(t, always(200, `{"choices":[{"message":{"role":"assistant","content":null,"refusal":"I cannot help with that."},"finish_reason":"stop"}]}`))
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrAnswer)
	assert.ErrorContains(t, err, "I cannot help")
}

func TestGenerate(t *testing.T) {
	e := serve(t, always(200, completion(" A red square.\n", "length")))
	s := e.scorer(t, remote.Options{})
	text, err := s.Generate(t.Context(), red, "What is it?", 40)
	require.NoError(t, err)
	assert.Equal(t, "A red square.", text)
	body := e.asked()[0].body
	assert.Equal(t, 40., body["max_tokens"])
	assert.NotContains(t, body, "logprobs")
	_, asked := sent(t, body)
	assert.Equal(t, "What is it?", asked)
	_, err = s.Generate(t.Context(), red, "What is it?", 0)
	assert.ErrorIs(t, err, dualprocess.ErrTask)
}

func TestPictures(t *testing.T) {
	e := serve(t, always(200, completion("Yes", "stop")))
	for _, c := range []struct {
		maxSide int
		picture image.Image
		want    image.Point
	}{
		{0, plain(2500, 5, color.White), image.Pt(2048, 4)},
		{8, plain(9, 27, color.Black), image.Pt(3, 8)},
		{8, plain(1, 800, color.Black), image.Pt(1, 8)},
		{-1, plain(2500, 5, color.White), image.Pt(2500, 5)},
		{8, plain(16, 16, color.White).(*image.NRGBA).SubImage(image.Rect(3, 3, 9, 8)), image.Pt(6, 5)},
	} {
		_, err := e.scorer(t, remote.Options{MaxSide: c.maxSide}).Score(t.Context(), c.picture, question)
		require.NoError(t, err)
		asked := e.asked()
		img, _ := sent(t, asked[len(asked)-1].body)
		assert.Equal(t, c.want, img.Bounds().Size())
		assert.Equal(t, color.RGBAModel.Convert(c.picture.At(c.picture.Bounds().Min.X, c.picture.Bounds().Min.Y)), color.RGBAModel.Convert(img.At(0, 0)))
	}
	for _, img := range []image.Image{nil, (*image.NRGBA)(nil), plain(0, 5, color.White)} {
		_, err := e.scorer(t, remote.Options{}).Score(t.Context(), img, question)
		assert.ErrorIs(t, err, remote.ErrPicture)
	}
}

// What cannot be asked is an error that names the argument, and nobody is asked.
func TestArguments(t *testing.T) {
	e := serve(t, always(200, completion("Yes", "stop")))
	s, asked := e.scorer(t, remote.Options{}), dualprocess.Question{Text: "Is it red?", Answer: "Yes"}
	refused := func(err error, names string) {
		t.Helper()
		assert.ErrorIs(t, err, dualprocess.ErrTask)
		assert.ErrorContains(t, err, names)
	}
	for names, q := range map[string]dualprocess.Question{"Text": {Answer: "Yes"}, "Answer": {Text: "Is it red?", Answer: " "}} {
		_, err := s.Score(t.Context(), red, q)
		refused(err, names)
	}
	var none context.Context
	_, err := s.Score(none, red, asked)
	refused(err, "Context")
	_, err = s.YesNo(none, red, asked)
	refused(err, "Context")
	_, err = s.Generate(none, red, asked.Text, 1)
	refused(err, "Context")
	_, err = s.Generate(t.Context(), red, " ", 1)
	refused(err, "Question")
	_, err = s.Generate(t.Context(), red, asked.Text, 0)
	refused(err, "Tokens")
	assert.Empty(t, e.asked())
}

// Many goroutines ask one Scorer, which learns the dialect meanwhile.
func TestConcurrentUse(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ int, body map[string]any) {
		if _, ok := body["temperature"]; ok {
			write(w, 400, `{"error":"temperature is not known here"}`)
			return
		}
		p := .25
		if messages := fmt.Sprint(body["messages"]); strings.Contains(messages, "seven") {
			p = .75
		}
		write(w, 200, completion("Yes", "stop", said{"Yes", p, nil}))
	})
	s := e.scorer(t, remote.Options{})
	var all sync.WaitGroup
	for k := range 24 {
		all.Go(func() {
			text, want := "Is it six?", .25
			if k%2 == 0 {
				text, want = "Is it seven?", .75
			}
			p, err := s.Score(context.Background(), red, dualprocess.Question{Text: text, Answer: "Yes"})
			assert.NoError(t, err)
			assert.InDelta(t, want, p, 1e-9)
		})
	}
	all.Wait()
}
