package remote_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// everything returns all that an error or a value can be made to say: every verb
// of fmt, JSON, slog, and the same of all that it wraps.
func everything(v any) string {
	if v == nil {
		return ""
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	raw, _ := json.Marshal(v)
	out.Write(raw)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "value", v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "value", v)
	if err, ok := v.(error); ok {
		out.WriteString(everything(errors.Unwrap(err)))
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range many.Unwrap() {
				out.WriteString(everything(err))
			}
		}
	}
	return out.String()
}

// spellings of the key that must not come out.
func spellings() []string {
	quoted, _ := json.Marshal(secret)
	return []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), string(quoted[1 : len(quoted)-1]),
		fmt.Sprintf("%x", secret), fmt.Sprintf("%q", secret), secret[:12],
	}
}

// leaks answers in many ways that repeat the key in many spellings.
func leaks() map[string]http.HandlerFunc {
	raw, _ := json.Marshal("Incorrect API key provided: " + secret + ", " + url.QueryEscape(secret)) // a string always encodes
	quoted := string(raw)
	echo := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://evil.test/?key="+url.QueryEscape(r.Header.Get("Authorization")))
			w.Header().Set("X-Echo", url.QueryEscape(r.Header.Get("Authorization")))
			w.Header().Set("Retry-After-Ms", "1")
			write(w, status, body)
		}
	}
	breakOff := func(raw string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { breakOff(w, raw) }
	}
	return map[string]http.HandlerFunc{
		"message":     echo(401, `{"error":{"message":`+quoted+`,"param":`+quoted+`,"code":`+quoted+`}}`),
		"text":        echo(400, `{"error":`+quoted+`}`),
		"detail":      echo(422, `{"detail":[{"input":`+quoted+`}]}`),
		"overload":    echo(503, `{"message":`+quoted+`}`),
		"redirect":    echo(307, ""),
		"not found":   echo(404, secret),
		"parts":       echo(400, `{"message":{"detail":[{"loc":["body",`+quoted+`],"msg":`+quoted+`}]}}`),
		"fault":       echo(200, `{"error":{"message":`+quoted+`,"code":`+quoted+`}}`),
		"fault, 502":  echo(200, `{"choices":[{"error":{"message":"","metadata":{"raw":`+quoted+`},"code":502}}]}`),
		"a list":      echo(200, `{"choices":[{"message":{"content":[{"type":"text","text":`+quoted+`}]}}]}`),
		"answer":      echo(200, `{"choices":[{"message":{"content":`+quoted+`}}]}`),
		"refusal":     echo(200, `{"choices":[{"message":{"refusal":`+quoted+`}}]}`),
		"reason":      echo(200, `{"choices":[{"message":{"content":""},"finish_reason":`+quoted+`}]}`),
		"broken":      echo(200, `{"choices": `+secret),
		"no protocol": breakOff("HTTP/1.1 " + secret + "\r\n\r\n"),
		"bad header":  breakOff("HTTP/1.1 200 OK\r\n" + secret + "\r\n\r\n"),
		"closed":      breakOff(""),
		"hangs":       func(http.ResponseWriter, *http.Request) { time.Sleep(300 * time.Millisecond) },
	}
}

// Whatever the endpoint does, and even if it repeats the key in every spelling, no
// error and no log has it.
func TestNoErrorHoldsTheKey(t *testing.T) {
	t.Setenv("TEST_KEY", secret)
	var logged bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	for name, handler := range leaks() {
		server := httptest.NewServer(handler)
		s, err := remote.New(remote.Options{
			Model: "m", BaseURL: server.URL, KeyVariable: "TEST_KEY", Retries: 1, Timeout: 200 * time.Millisecond,
		})
		require.NoError(t, err)
		_, err = s.Score(t.Context(), red, question)
		server.Close()
		assert.Error(t, err, name)
		for _, spelling := range spellings() {
			assert.NotContains(t, everything(err), spelling, name)
		}
	}
	assert.Empty(t, logged.String(), "nothing is logged")
}

// breakOff sends raw bytes and closes the connection.
func breakOff(w http.ResponseWriter, raw string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write([]byte(raw))
	_ = conn.Close()
}

func TestNoValueHoldsTheKey(t *testing.T) {
	t.Setenv("TEST_KEY", secret)
	s, err := remote.New(remote.Options{Model: "m", BaseURL: "https://example.test/v1", KeyVariable: "TEST_KEY"})
	require.NoError(t, err)
	for _, spelling := range spellings() {
		assert.NotContains(t, everything(s), spelling)
	}
	assert.Equal(t, "m at https://example.test/v1", s.String())
}

// The client's own variables are none of ours: a key of OpenAI's must not go to
// another endpoint, nor a header that somebody set for another program.
func TestTheEnvironmentIsNotSent(t *testing.T) {
	for _, name := range []string{
		"OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET",
	} {
		t.Setenv(name, secret)
	}
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: "+secret)
	t.Setenv("OPENAI_BASE_URL", "http://evil.test")
	e := serve(t, always(200, completion("Yes", "stop")))
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	require.NoError(t, err)
	assert.NotContains(t, e.asked()[0].header, "Authorization")
	assert.NotContains(t, fmt.Sprint(e.asked()[0].header), secret)

	t.Setenv("VLLM_API_KEY", "other")
	_, err = e.scorer(t, remote.Options{KeyVariable: "VLLM_API_KEY"}).Score(t.Context(), red, question)
	require.NoError(t, err)
	assert.Equal(t, []string{"Bearer other"}, e.asked()[1].header["Authorization"])
	assert.NotContains(t, fmt.Sprint(e.asked()[1].header), secret)
}

// round makes a function a transport.
type round func(*http.Request) (*http.Response, error)

func (f round) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOpenAIByDefault(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", secret)
	t.Setenv("OPENAI_BASE_URL", "http://evil.test")
	var seen *http.Request
	s, err := remote.New(remote.Options{Model: "gpt-4o", Retries: -1, Transport: round(func(r *http.Request) (*http.Response, error) {
		seen = r
		return nil, fmt.Errorf("cannot send %s", r.Header.Get("Authorization"))
	})})
	require.NoError(t, err)
	_, err = s.Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrUnavailable)
	assert.ErrorContains(t, err, "cannot send Bearer [key]")
	assert.NotContains(t, everything(err), secret)
	assert.Equal(t, "https://api.openai.com/v1/chat/completions", seen.URL.String())
	assert.Equal(t, "Bearer "+secret, seen.Header.Get("Authorization"))
}

func TestOptions(t *testing.T) {
	for field, o := range map[string]remote.Options{
		"Model":     {},
		"Basis":     {Model: "m", Basis: 9},
		"Extra":     {Model: "m", Extra: map[string]any{"stream": true}},
		"MaxTokens": {Model: "m", MaxTokens: -1},
		"Timeout":   {Model: "m", Timeout: -1},
		"MaxWait":   {Model: "m", MaxWait: -1},
	} {
		s, err := remote.New(o)
		assert.ErrorIs(t, err, remote.ErrOptions)
		assert.ErrorContains(t, err, field)
		assert.Nil(t, s)
	}
}

func TestBaseURL(t *testing.T) {
	for _, base := range []string{
		"ftp://host", "host:80", "localhost:8000/v1", "http://", "http:///v1", "https://user:" + url.QueryEscape(secret) + "@host/v1",
		"https://host/v1?key=" + url.QueryEscape(secret), "https://host/v1#x", "https://host/v1?", "file:///etc", "/v1", "http:host",
		"https://host/\x7f" + secret, "http://host:port", "https://host/v1/chat/completions/",
	} {
		_, err := remote.New(remote.Options{Model: "m", BaseURL: base})
		assert.ErrorIs(t, err, remote.ErrOptions, base)
		assert.ErrorContains(t, err, "BaseURL")
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, err.Error(), url.QueryEscape(secret))
	}
}

func TestKeyOptions(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "")
	t.Setenv("TEST_KEY", secret)
	t.Setenv("BAD_KEY", "sk-\nX-Evil: 1")
	for _, o := range []remote.Options{
		{}, {KeyVariable: "NO_SUCH_KEY"}, {KeyVariable: "BAD_KEY"}, {KeyVariable: "TEST_KEY", BaseURL: "http://gpu.example.test/v1"},
	} {
		o.Model = "m"
		_, err := remote.New(o)
		assert.ErrorIs(t, err, remote.ErrKey)
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, err.Error(), "Evil")
	}
	for _, o := range []remote.Options{
		{BaseURL: "http://gpu.example.test/v1"}, {BaseURL: "http://gpu.example.test/v1", KeyVariable: "TEST_KEY", InsecureKey: true},
		{BaseURL: "http://localhost:1/v1/", KeyVariable: "TEST_KEY"}, {BaseURL: "http://[::1]:1", KeyVariable: "TEST_KEY"},
		{KeyVariable: "TEST_KEY"},
	} {
		o.Model = "m"
		_, err := remote.New(o)
		assert.NoError(t, err)
	}
}
