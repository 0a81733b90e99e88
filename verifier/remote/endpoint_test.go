package remote_test

import (
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// secret is a key, with characters that addresses and JSON write otherwise.
const secret = "sk-test/3+f&\"9<c>2a7"

// question is what most tests ask.
var question = dualprocess.Question{Text: "Is it red?", Answer: "Yes"}

// endpoint is a local server that speaks the protocol and notes what it is asked.
type endpoint struct {
	*httptest.Server
	mutex    sync.Mutex
	requests []request
}

// request is what a test looks at.
type request struct {
	header http.Header
	path   string
	body   map[string]any
}

// serve starts an endpoint; answer gets each request's index and body.
func serve(t *testing.T, answer func(w http.ResponseWriter, k int, body map[string]any)) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(e.handler(answer))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) handler(answer func(w http.ResponseWriter, k int, body map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		raw, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(raw, &body) != nil {
			http.Error(w, "no JSON", http.StatusBadRequest)
			return
		}
		e.mutex.Lock()
		k := len(e.requests)
		e.requests = append(e.requests, request{r.Header, r.URL.Path, body})
		e.mutex.Unlock()
		answer(w, k, body)
	}
}

// asked returns the requests so far.
func (e *endpoint) asked() []request {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return append([]request(nil), e.requests...)
}

// scorer asks the endpoint.
func (e *endpoint) scorer(t *testing.T, o remote.Options) *remote.Scorer {
	t.Helper()
	o.BaseURL = e.URL + "/v1"
	if o.Model == "" {
		o.Model = "test"
	}
	s, err := remote.New(o)
	require.NoError(t, err)
	return s
}

// said is a token with its alternatives, as probabilities.
type said struct {
	text   string
	p      float64
	others map[string]float64
}

// completion is the JSON of an answer; without tokens it has no log-probabilities.
func completion(text, finish string, tokens ...said) string {
	choice := map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": text}}
	if tokens != nil {
		var content []map[string]any
		for _, t := range tokens {
			// The token itself is among its alternatives, as with most endpoints.
			top := []map[string]any{{"token": t.text, "logprob": math.Log(t.p)}}
			for other, p := range t.others {
				top = append(top, map[string]any{"token": other, "logprob": math.Log(p)})
			}
			content = append(content, map[string]any{"token": t.text, "logprob": math.Log(t.p), "top_logprobs": top})
		}
		choice["logprobs"] = map[string]any{"content": content}
	}
	raw, err := json.Marshal(map[string]any{
		"id": "1", "object": "chat.completion", "created": 1, "model": "test", "choices": []any{choice},
	})
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// always answers every request alike.
func always(status int, body string) func(http.ResponseWriter, int, map[string]any) {
	return func(w http.ResponseWriter, _ int, _ map[string]any) { write(w, status, body) }
}

// plain is a picture of one colour.
func plain(width, height int, c color.Color) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, c)
		}
	}
	return img
}

var red = plain(4, 3, color.NRGBA{255, 0, 0, 255})

// sent returns the picture and the text of a request.
func sent(t *testing.T, body map[string]any) (image.Image, string) {
	t.Helper()
	messages := body["messages"].([]any)
	require.Len(t, messages, 1)
	message := messages[0].(map[string]any)
	assert.Equal(t, "user", message["role"])
	parts := message["content"].([]any)
	require.Len(t, parts, 2)
	address := parts[0].(map[string]any)["image_url"].(map[string]any)["url"].(string)
	file, found := strings.CutPrefix(address, "data:image/png;base64,")
	require.True(t, found)
	img, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(file)))
	require.NoError(t, err)
	return img, parts[1].(map[string]any)["text"].(string)
}
