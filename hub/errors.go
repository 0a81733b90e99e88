package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// What callers may want to tell apart.
var (
	// ErrReference says that a text is no reference of a repository or of its file.
	ErrReference = errors.New("no reference of a repository")
	// ErrOptions says that a field of Options makes no sense; the error names it.
	ErrOptions = errors.New("invalid option")
	// ErrNotFound says that there is no such repository, revision or file, or none that may
	// be seen.
	ErrNotFound = errors.New("not found")
	// ErrAccess says that the registry wants a token, another one, or the consent to the
	// repository's conditions.
	ErrAccess = errors.New("no access")
	// ErrOffline says that the cache lacks something, and that the network may not be used.
	ErrOffline = errors.New("not in the cache, and offline")
	// ErrNetwork says that the registry could not be reached, or failed again and again.
	ErrNetwork = errors.New("the registry does not answer as it should")
	// ErrCorrupt says that what comes does not have the hash that the registry says.
	ErrCorrupt = errors.New("what was downloaded is not what the registry says")
	// ErrSpace says that the disk has too little space; nothing large has been downloaded then.
	ErrSpace = errors.New("not enough space on the disk")
)

// temporary is an error that may not come again.
type temporary struct {
	err   error
	after time.Duration // to wait at least
}

func (t *temporary) Error() string { return t.err.Error() }
func (t *temporary) Unwrap() error { return t.err }

// again makes an error temporary.
func again(format string, args ...any) error { return &temporary{err: fmt.Errorf(format, args...)} }

// scrub takes the token out of a text that a server had a hand in.
func (s *settings) scrub(text string) string {
	for _, token := range []string{s.token, strings.TrimSpace(string(s.Token))} {
		if token != "" {
			text = strings.ReplaceAll(text, token, hidden)
		}
	}
	return text
}

// conceal makes sure that an error does not show the token, whoever put it there.
func (s *settings) conceal(err error) error {
	if err == nil {
		return nil
	}
	if text := s.scrub(err.Error()); text != err.Error() {
		return &concealed{err, text}
	}
	return err
}

// concealed is an error with another text.
type concealed struct {
	err  error
	text string
}

func (c *concealed) Error() string { return c.text }
func (c *concealed) Unwrap() error { return c.err }

// show writes an address without what may be secret in it: users, and the signatures of
// queries.
func (s *settings) show(u *url.URL) string {
	return s.scrub((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// refusal makes an error of an answer that is none. own says that the endpoint gave it,
// and not where it led: addresses of files expire, so that another try may find a new one.
func (s *settings) refusal(r *http.Response, own bool) error {
	words := s.words(r)
	code := r.StatusCode
	switch {
	case !own, code == http.StatusRequestTimeout, code == http.StatusRequestedRangeNotSatisfiable,
		code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500, code < 400:
		return &temporary{fmt.Errorf("%s: %s", s.show(r.Request.URL), words), retryAfter(r.Header, time.Now())}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return s.explain(r.Header.Get("X-Error-Code"), words)
	case code == http.StatusNotFound:
		return s.missing(r.Header.Get("X-Error-Code"), words)
	}
	return fmt.Errorf("%s: %s", s.show(r.Request.URL), words)
}

// maxWords bounds what is read of a server's explanation, in bytes.
const maxWords = 4 << 10

// words are the status and what the server says to it.
func (s *settings) words(r *http.Response) string {
	text := r.Header.Get("X-Error-Message")
	if text == "" {
		var body struct {
			Error string `json:"error"`
		}
		raw, _ := io.ReadAll(io.LimitReader(r.Body, maxWords)) // what is cut off or no JSON says nothing
		if json.Unmarshal(raw, &body) == nil {
			text = body.Error
		}
	}
	status := fmt.Sprintf("the server says %d %s", r.StatusCode, http.StatusText(r.StatusCode))
	if text == "" {
		return status
	}
	return status + ", " + quote.Short(s.scrub(text))
}

// explain says what to do about a 401 or 403.
func (s *settings) explain(code, words string) error {
	var err error
	switch code {
	case "RepoNotFound":
		err = fmt.Errorf("%w: there is no such repository, or it is private and %s", ErrNotFound, s.sent())
	case "GatedRepo":
		err = fmt.Errorf("the repository is gated: accept its conditions on its page at %s, with the account whose token is used; %s", s.show(s.endpoint), s.sent())
	default:
		err = fmt.Errorf("the repository is gated or private, or the token is not valid any more; %s", s.sent())
	}
	return fmt.Errorf("%w: %w (%s)", ErrAccess, err, words)
}

// sent says which token was sent, and how to have another.
func (s *settings) sent() string {
	switch {
	case s.withheld:
		return "the token was not sent, as the endpoint's address is http and the token could be read on the way: give one with https"
	case s.token == "":
		return "no token was sent: set HF_TOKEN, log in with Python's `hf auth login`, or give Options.Token"
	}
	return "the token that was sent does not suffice: see on the registry's page of tokens that it may read gated repositories, and whether it has expired"
}

// missing says what a 404 is about.
func (s *settings) missing(code, words string) error {
	what := "there is no such repository, revision or file"
	switch code {
	case "RepoNotFound":
		what = "there is no such repository, or it is private and " + s.sent()
	case "RevisionNotFound":
		what = "the repository has no such revision"
	case "EntryNotFound":
		what = "the revision has no such file"
	}
	return fmt.Errorf("%w: %s (%s)", ErrNotFound, what, words)
}
