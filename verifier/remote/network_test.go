package remote_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/verifier/remote"
)

// The endpoint says when to come back, in any of three ways, and is obeyed.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, header, value string
		least               time.Duration
	}{
		{"seconds", "Retry-After", "1", time.Second},
		{"milliseconds", "Retry-After-Ms", "50", 50 * time.Millisecond},
		{"date", "Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := serve(t, func(w http.ResponseWriter, k int, _ map[string]any) {
				if k < 2 {
					w.Header().Set(c.header, c.value)
					write(w, 429, `{"error":{"message":"slow down"}}`)
					return
				}
				write(w, 200, completion("Yes", "stop"))
			})
			begun := time.Now()
			p, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
			require.NoError(t, err)
			assert.Equal(t, 1., p)
			assert.Len(t, e.asked(), 3)
			assert.GreaterOrEqual(t, time.Since(begun), 2*c.least)
		})
	}
}

// Who asks for more patience than there is gets no second request.
func TestRetryAfterTooLong(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
		w.Header().Set("Retry-After", "3600")
		write(w, 429, `{"error":{"message":"quota"}}`)
	})
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrUnavailable)
	var status *remote.StatusError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, remote.StatusError{Status: 429, Message: "quota"}, *status)
	assert.Len(t, e.asked(), 1)
}

func TestServerErrorsAreTriedAgain(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, k int, _ map[string]any) {
		w.Header().Set("Retry-After-Ms", "1")
		if k < 3 {
			w.Header().Set("X-Should-Retry", "false") // is not for the endpoint to say
			write(w, []int{500, 502, 503}[k], "<html>Bad Gateway</html>")
			return
		}
		write(w, 200, completion("Yes", "stop"))
	})
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	require.NoError(t, err)
	assert.Len(t, e.asked(), 4)

	e = serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
		w.Header().Set("Retry-After-Ms", "1")
		write(w, 503, "<html>")
	})
	for retries, want := range map[int]int{0: 5, 2: 3, -1: 1} {
		before := len(e.asked())
		_, err = e.scorer(t, remote.Options{Retries: retries}).Score(t.Context(), red, question)
		assert.ErrorIs(t, err, remote.ErrUnavailable)
		assert.ErrorContains(t, err, "503 Service Unavailable")
		assert.Len(t, e.asked(), before+want, "%d retries", retries)
	}
}

// Without a word from the endpoint the pause is about half a second and doubles.
func TestBackOff(t *testing.T) {
	t.Parallel()
	e := serve(t, func(w http.ResponseWriter, k int, _ map[string]any) {
		write(w, map[bool]int{true: 500, false: 200}[k < 2], completion("Yes", "stop"))
	})
	begun := time.Now()
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	require.NoError(t, err)
	assert.Greater(t, time.Since(begun), time.Second)
}

func TestRefusalsAreNotTriedAgain(t *testing.T) {
	for status, sentinel := range map[int]error{
		400: remote.ErrRequest, 401: remote.ErrKey, 403: remote.ErrKey, 404: remote.ErrRequest, 408: remote.ErrRequest,
		409: remote.ErrRequest, 413: remote.ErrRequest, 422: remote.ErrRequest,
	} {
		e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
			w.Header().Set("X-Should-Retry", "true")
			write(w, status, `[{"error":{"code":7,"message":"no  such\nthing","status":"X"}}]`)
		})
		_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
		assert.ErrorIs(t, err, sentinel)
		assert.ErrorContains(t, err, fmt.Sprint(status))
		assert.ErrorContains(t, err, "no such thing")
		assert.Len(t, e.asked(), 1, "%d", status)
	}
}

func TestRedirects(t *testing.T) {
	t.Setenv("TEST_KEY", secret)
	elsewhere := serve(t, always(200, completion("Yes", "stop")))
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsServer.Close()
	for name, c := range map[string]struct {
		status   int
		location string
	}{
		"another port":        {307, elsewhere.URL + "/v1/chat/completions"},
		"another host's name": {308, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)},
		"another scheme":      {307, tlsServer.URL},
		"a GET":               {302, "/v1/chat/completions"},
		"a loop":              {307, "/v1/chat/completions"},
		"a file":              {307, "file:///etc/passwd"},
		"nowhere":             {307, ""},
		"not modified":        {304, ""},
	} {
		e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
			if c.location != "" {
				w.Header().Set("Location", c.location)
			}
			w.WriteHeader(c.status)
		})
		_, err := e.scorer(t, remote.Options{KeyVariable: "TEST_KEY"}).Score(t.Context(), red, question)
		assert.ErrorIs(t, err, remote.ErrRedirect, name)
		assert.LessOrEqual(t, len(e.asked()), 4, name)
	}
	assert.Empty(t, elsewhere.asked())
}

func TestRedirectWithinTheEndpoint(t *testing.T) {
	e := &endpoint{}
	answer := e.handler(always(200, completion("Yes", "stop")))
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			http.Redirect(w, r, "/v2/chat/completions", http.StatusPermanentRedirect)
			return
		}
		answer(w, r)
	}))
	defer e.Close()
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	require.NoError(t, err)
	img, _ := sent(t, e.asked()[0].body)
	assert.Equal(t, 4, img.Bounds().Dx())
}

// From https to http there is no way, even on one host.
func TestNoWayDown(t *testing.T) {
	plainServer := serve(t, always(200, completion("Yes", "stop")))
	e := &endpoint{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plainServer.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))}
	e.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake
	e.StartTLS()
	defer e.Close()
	_, err := e.scorer(t, remote.Options{Transport: e.Client().Transport}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrRedirect)
	assert.Empty(t, plainServer.asked())

	_, err = e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrUnavailable, "an unknown certificate")
	assert.ErrorContains(t, err, "certificate")
}

// hang answers never, or with half an answer, and tells of each request.
func hang(t *testing.T, headers bool) (*endpoint, <-chan struct{}) {
	free, arrived := make(chan struct{}), make(chan struct{}, 9)
	e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
		if headers {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"choices":[`))
			w.(http.Flusher).Flush()
		}
		arrived <- struct{}{}
		<-free
	})
	t.Cleanup(func() { close(free) }) // before the server is closed
	return e, arrived
}

func TestHangingServer(t *testing.T) {
	for name, headers := range map[string]bool{"silent": false, "half an answer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, arrived := hang(t, headers)
			_, err := e.scorer(t, remote.Options{Timeout: 500 * time.Millisecond, Retries: 1}).Score(t.Context(), red, question)
			assert.ErrorIs(t, err, remote.ErrUnavailable)
			assert.ErrorContains(t, err, "no answer within 500ms")
			assert.Len(t, e.asked(), 2, "a second chance")
			<-arrived
			<-arrived

			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			_, err = e.scorer(t, remote.Options{}).Score(ctx, red, question)
			cancel()
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.NotErrorIs(t, err, remote.ErrUnavailable)
		})
	}
}

func TestCancel(t *testing.T) {
	e, arrived := hang(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := e.scorer(t, remote.Options{}).Score(ctx, red, question)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = e.scorer(t, remote.Options{}).Score(ctx, red, question)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Len(t, e.asked(), 1, "cancelled before")
}

// Cancelling ends a pause, too.
func TestCancelWhileWaiting(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
		w.Header().Set("Retry-After", "30")
		write(w, 429, "{}")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := e.scorer(t, remote.Options{}).Score(ctx, red, question)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestNobodyThere(t *testing.T) {
	e := serve(t, always(200, "{}"))
	s := e.scorer(t, remote.Options{Retries: -1})
	e.Close()
	_, err := s.Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrUnavailable)
	assert.ErrorContains(t, err, "refused")
}

func TestHugeBody(t *testing.T) {
	long := strings.Repeat("x", 9<<20)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(long))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for name, send := range map[string]func(w http.ResponseWriter){
		"plain": func(w http.ResponseWriter) { write(w, 200, `{"x":"`+long+`"}`) },
		"error": func(w http.ResponseWriter) { write(w, 500, long) },
		"bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			write(w, 200, packed.String())
		},
	} {
		e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) { send(w) })
		_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
		assert.ErrorIs(t, err, remote.ErrResponse, name)
		assert.Len(t, e.asked(), 1, name)
	}
}

func TestUnusableResponses(t *testing.T) {
	token := func(fields string) string {
		return `{"choices":[{"finish_reason":"stop","message":{"content":"Yes"},"logprobs":{"content":[{` + fields + `}]}}]}`
	}
	for body, sentinel := range map[string]error{
		"":                                       remote.ErrResponse,
		"null":                                   remote.ErrResponse,
		"[]":                                     remote.ErrResponse,
		`{"choices":`:                            remote.ErrResponse,
		`{"choices":[]}`:                         remote.ErrResponse,
		`{"choices":"many"}`:                     remote.ErrResponse,
		`{"error":"no luck"}`:                    remote.ErrResponse,
		`{"choices":[{}]}`:                       remote.ErrAnswer,
		token(`"token":"Yes","top_logprobs":[]`): remote.ErrResponse,
		token(`"logprob":-0.1,"top_logprobs":[]`):                                                    remote.ErrResponse,
		token(`"token":"Yes","logprob":"certain","top_logprobs":[]`):                                 remote.ErrResponse,
		token(`"token":"Yes","logprob":3,"top_logprobs":[]`):                                         remote.ErrResponse,
		token(`"token":"Yes","logprob":-1,"bytes":[300]`):                                            remote.ErrResponse,
		token(`"token":"Yes","logprob":-1,"bytes":null,"top_logprobs":[{"token":"No","logprob":9}]`): remote.ErrResponse,
	} {
		e := serve(t, always(200, body))
		_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
		assert.ErrorIs(t, err, sentinel, body)
		assert.Len(t, e.asked(), 1, "%s", body)
	}
	e := serve(t, func(w http.ResponseWriter, _ int, _ map[string]any) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>Welcome</html>"))
	})
	_, err := e.scorer(t, remote.Options{}).Score(t.Context(), red, question)
	assert.ErrorIs(t, err, remote.ErrResponse)
}
