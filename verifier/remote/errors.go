package remote

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// StatusError is what an endpoint says when it does not answer. It wraps ErrKey,
// ErrUnavailable, ErrRedirect or ErrRequest, by its status.
type StatusError struct {
	Status  int    // of HTTP, or the code of an error that comes with status 200
	Param   string // field of the request that is at fault, where the endpoint names one
	Message string // the endpoint's words, shortened and without the key; may be empty
	Address string // that was asked, where nothing is found there (404, 405)
}

// Error gives the status and the endpoint's words; where nothing is found, also the
// address, and what may be wrong with it.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%v: %d %s", e.Unwrap(), e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Address != "" {
		text += fmt.Sprintf(" (asked was %s", e.Address)
		if !strings.Contains(e.Address, "/v1/") {
			text += "; /v1 may be missing at the end of BaseURL"
		}
		text += ")"
	}
	return text
}

// Unwrap returns the sentinel that the status stands for.
func (e *StatusError) Unwrap() error {
	switch {
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return ErrKey
	case passing(e.Status):
		return ErrUnavailable
	case e.Status < 400:
		return ErrRedirect
	}
	return ErrRequest
}

// passing reports whether a status may be another the next time. 408 and 409,
// which the client would try again, are the caller's as the other 4xx are.
func passing(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// statusError reads the body of a response that is not a success.
func statusError(status int, body []byte, hide func(string) string) *StatusError {
	fault, _ := faultIn(body)
	param, _ := field(fault, "param").(string)
	return &StatusError{Status: status, Param: shorten(hide(param)), Message: shorten(hide(words(fault)))}
}

// shorten keeps a stranger's text short and on one line.
func shorten(text string) string {
	const limit = 300 // runes
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// hider returns a function that removes the key from a text: in the spellings in
// which addresses, JSON and Go's %q give it back, and any long piece of it. The key
// lives in closures alone, so that printing a Scorer does not print it.
func hider(key string) func(string) string {
	if key == "" {
		return func(text string) string { return text }
	}
	const piece = 8      // bytes
	const mark = "[key]" // shorter than a piece, which is therefore never found in it
	inJSON, _ := json.Marshal(key)
	var pairs []string
	for _, spelling := range []string{
		key, url.QueryEscape(key), url.PathEscape(key), strings.Trim(string(inJSON), `"`), strings.Trim(strconv.Quote(key), `"`),
	} {
		pairs = append(pairs, spelling, mark)
	}
	for k := 0; k+piece <= len(key); k++ {
		pairs = append(pairs, key[k:k+piece], mark)
	}
	return strings.NewReplacer(pairs...).Replace
}
