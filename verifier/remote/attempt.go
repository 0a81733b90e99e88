package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

const (
	maxResponse  = 8 << 20 // bytes, decompressed; 4096 tokens with 20 alternatives each are below 6 MB
	maxRedirects = 3
)

// newService returns the client's part that speaks the protocol. It is built
// without openai.NewClient, which would send what it finds in a dozen variables of
// the environment, OpenAI's keys among them, to whatever endpoint is named.
func newService(o Options, key string) openai.ChatCompletionService {
	options := []option.RequestOption{
		option.WithBaseURL(o.BaseURL),
		option.WithHTTPClient(&http.Client{Transport: o.Transport, CheckRedirect: checkRedirect}),
		option.WithMaxRetries(o.Retries),
		option.WithMaxRetryDelay(o.MaxWait),
	}
	if key != "" {
		options = append(options, option.WithAPIKey(key))
	}
	return openai.NewChatCompletionService(options...)
}

// checkRedirect follows what stays with the same endpoint and repeats the request
// as it was. The address is not repeated in the error: it is a stranger's text.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("%w: more than %d times", ErrRedirect, maxRedirects)
	case req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host:
		return fmt.Errorf("%w: to another scheme, host or port", ErrRedirect)
	case req.Method != first.Method:
		return fmt.Errorf("%w: by a status that drops the question", ErrRedirect)
	}
	return nil
}

// exchange is one request with its attempts. The client repeats attempts; what
// counts as one, and which of them are worth repeating, is decided here.
type exchange struct {
	scorer *Scorer
	stop   context.CancelCauseFunc // ends the client's attempts, with the reason

	status int    // of the last attempt; 0 without a response
	body   []byte // of the last attempt
	err    error  // why the last attempt had no response
}

// ask sends the request until it is answered, refused or hopeless.
func (s *Scorer) ask(ctx context.Context, params openai.ChatCompletionNewParams) (*openai.ChatCompletion, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	e := &exchange{scorer: s, stop: stop}
	completion, err := s.service.New(inner, params, option.WithMiddleware(e.attempt))
	if err == nil && completion != nil {
		return completion, nil
	}
	// The client's own errors hold the request, with its key: none is wrapped.
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if inner.Err() != nil {
		return nil, context.Cause(inner)
	}
	switch {
	case e.status >= 300:
		return nil, s.refused(e)
	case e.status == 0 && e.err != nil:
		return nil, fmt.Errorf("%w: %s", ErrUnavailable, shorten(s.hide(e.err.Error())))
	}
	return nil, fmt.Errorf("%w: not the JSON of a chat completion", ErrResponse)
}

// attempt is middleware of the client: one request and its whole response, both
// within the timeout. The client's own timeout would not be tried again, and would
// cut the pauses between attempts.
func (e *exchange) attempt(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	e.status, e.body, e.err = 0, nil, nil
	ctx, cancel := context.WithTimeout(req.Context(), e.scorer.options.Timeout)
	defer cancel()
	res, err := next(req.WithContext(ctx))
	if err == nil {
		err = e.read(res)
	}
	if err != nil {
		e.status = 0
		return nil, e.failed(ctx, err)
	}
	if res.StatusCode < 300 {
		e.inspect(res)
	}
	e.status = res.StatusCode
	// The client obeys this header, whoever sets it.
	res.Header.Set("X-Should-Retry", strconv.FormatBool(passing(res.StatusCode)))
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		e.stop(&StatusError{Status: res.StatusCode}) // a redirect without a place; the client would take it for an answer
	}
	return res, nil
}

// read replaces the response's body by what it holds.
func (e *exchange) read(res *http.Response) error {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return err
	}
	if len(body) > maxResponse {
		return fmt.Errorf("%w: longer than %d bytes", ErrResponse, maxResponse)
	}
	body = bytes.TrimPrefix(body, []byte("\uFEFF")) // a mark of UTF-8, which JSON has not
	e.body = body
	res.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// inspect makes a response that says 200 what it is: an error with a code of its own
// has that for a status, and JSON under another type is JSON. An error without a code
// ends the exchange.
func (e *exchange) inspect(res *http.Response) {
	if !json.Valid(e.body) {
		return
	}
	res.Header.Set("Content-Type", "application/json")
	fault, status := faultIn(e.body)
	switch text := words(fault); {
	case text == "":
	case status != 0:
		res.StatusCode = status
	default:
		e.stop(fmt.Errorf("%w: it says: %s", ErrResponse, shorten(e.scorer.hide(text))))
	}
}

// refused is the error of an exchange that ended with a status.
func (s *Scorer) refused(e *exchange) *StatusError {
	err := statusError(e.status, e.body, s.hide)
	if e.status == http.StatusNotFound || e.status == http.StatusMethodNotAllowed {
		err.Address = s.hide(strings.TrimRight(s.options.BaseURL, "/") + "/chat/completions")
	}
	return err
}

// failed notes why there is no response, and stops the client where another
// attempt would fail in the same way.
func (e *exchange) failed(ctx context.Context, err error) error {
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // without the URL
	}
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v", e.scorer.options.Timeout)
	case errors.Is(err, ErrRedirect), errors.Is(err, ErrResponse):
		e.stop(err)
	case errors.As(err, &certificate), errors.As(err, &name) && name.IsNotFound:
		e.stop(fmt.Errorf("%w: %s", ErrUnavailable, shorten(e.scorer.hide(err.Error()))))
	}
	e.err = err
	return err
}
