// Package install brings files of remote archives safely to their place: bounded in size, checked by hash, unpacked
// without trusting any name in the archive, and visible under their final name only when they are complete.
//
// It knows nothing of backends: package backends says what to fetch and from where.
package install

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Errors of this package, wrapped with what they happened to.
var (
	ErrHash     = errors.New("sha256 differs from the expected one")
	ErrTooLarge = errors.New("larger than allowed")
	ErrStalled  = errors.New("no data arrives any more")
	ErrInsecure = errors.New("neither a sha256 nor an encrypted connection vouches for it")
	ErrNotFound = errors.New("not found")
)

const (
	// connectTimeout bounds connecting and, once more, the TLS handshake: a newcomer behind a wall must not wait long.
	connectTimeout = 4 * time.Second
	// answerTimeout bounds the wait for the first byte of an answer.
	answerTimeout = 15 * time.Second
	// stallTimeout bounds the wait between two pieces of a body.
	stallTimeout = 30 * time.Second
	// maxArchive and maxPage bound what is read of an archive and of a page that lists archives, in bytes.
	maxArchive = 2 << 30
	maxPage    = 64 << 20
	// tempPattern names unfinished files; stale ones are swept by Lock.
	tempPattern = ".dualprocess-*.part"
)

// Source is one remote archive.
type Source struct {
	// Name is for people: errors and progress carry it.
	Name string
	// URL may carry a user and password; they are sent, and never shown.
	URL string
	// SHA256 in hexadecimal. Empty where the publisher gives none: then only an encrypted URL is accepted.
	SHA256 string
}

// Client fetches and installs. Make it with NewClient.
type Client struct {
	// Progress is told about each archive's bytes, a few times per second and at the end; total is 0 where unknown.
	Progress func(name string, done, total int64)

	http  *http.Client
	limit int64
	stall time.Duration
}

// NewClient returns a client with short timeouts. certFile, when not empty, is a PEM file of certificate authorities
// to trust instead of the system's, as pip's option "cert".
func NewClient(certFile string) (*Client, error) {
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       answerTimeout,
		ForceAttemptHTTP2:     true,
	}
	if certFile != "" {
		pem, err := os.ReadFile(certFile)
		if err != nil {
			return nil, fmt.Errorf("install: certificates: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("install: certificates: %s holds none", certFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &Client{
		Progress: func(string, int64, int64) {},
		http:     &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		limit:    maxArchive,
		stall:    stallTimeout,
	}, nil
}

// checkRedirect refuses to be led from an encrypted connection to an open one.
func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("too many redirects")
	}
	if via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return fmt.Errorf("redirect from https to %s: %w", next.URL.Scheme, ErrInsecure)
	}
	return nil
}

// get asks for url; any status but 200 is an error. accept may be empty.
func (c *Client) get(ctx context.Context, url, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	} else {
		// An archive's own bytes are wanted, with their length, and not a compressed stream of them.
		request.Header.Set("Accept-Encoding", "identity")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	_ = response.Body.Close() // the status is the news, not the body's end
	if response.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%s: %w", request.URL.Redacted(), ErrNotFound)
	}
	return nil, fmt.Errorf("%s: server says %q", request.URL.Redacted(), response.Status)
}

// page reads a small document, at most maxPage bytes; it returns the address after redirects too.
func (c *Client) page(ctx context.Context, url, accept string) (body []byte, response *http.Response, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout+answerTimeout)
	defer cancel()
	if response, err = c.get(ctx, url, accept); err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }() // everything needed has been read
	body, err = io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	if err == nil && len(body) > maxPage {
		err = ErrTooLarge
	}
	return body, response, err
}

// Fetch brings s into a new temporary file in dir and returns its path; the caller removes it. On an error nothing
// is left behind. Errors wrap ErrHash, ErrTooLarge, ErrStalled, ErrInsecure, ErrNotFound or the context's.
func (c *Client) Fetch(ctx context.Context, s Source, dir string) (path string, err error) {
	if s.SHA256 == "" && !strings.HasPrefix(s.URL, "https://") {
		return "", fmt.Errorf("install: fetch %s: %w", s.Name, ErrInsecure)
	}
	file, err := os.CreateTemp(dir, tempPattern)
	if err != nil {
		return "", fmt.Errorf("install: fetch %s: %w", s.Name, err)
	}
	err = c.fetchTo(ctx, file, s)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(file.Name()) // swept by the next Lock at the latest
		return "", fmt.Errorf("install: fetch %s: %w", s.Name, err)
	}
	return file.Name(), nil
}

// fetchTo writes s to w and checks its length and hash.
func (c *Client) fetchTo(ctx context.Context, w io.Writer, s Source) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	response, err := c.get(ctx, s.URL, "")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // a cut body has been seen by the copy
	if response.ContentLength > c.limit {
		return fmt.Errorf("%d bytes: %w", response.ContentLength, ErrTooLarge)
	}
	stall := time.AfterFunc(c.stall, func() { cancel(ErrStalled) })
	defer stall.Stop()
	report := c.reporter(s.Name, max(response.ContentLength, 0))
	body := &watchedReader{from: io.LimitReader(response.Body, c.limit+1), saw: func(done int64) {
		stall.Reset(c.stall)
		report(done, false)
	}}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), body)
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case err != nil:
		return err // a truncated body is io.ErrUnexpectedEOF
	case n > c.limit:
		return fmt.Errorf("more than %d bytes: %w", c.limit, ErrTooLarge)
	}
	report(n, true)
	if got := hex.EncodeToString(hash.Sum(nil)); s.SHA256 != "" && !strings.EqualFold(got, s.SHA256) {
		return fmt.Errorf("%w: got %s, want %s", ErrHash, got, s.SHA256)
	}
	return nil
}

// reporter returns a function that passes progress on, but not more often than people can read.
func (c *Client) reporter(name string, total int64) func(done int64, force bool) {
	var last time.Time
	return func(done int64, force bool) {
		if now := time.Now(); force || now.Sub(last) >= 200*time.Millisecond {
			last = now
			c.Progress(name, done, total)
		}
	}
}

// watchedReader tells how many bytes have passed.
type watchedReader struct {
	from io.Reader
	saw  func(done int64)
	done int64
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.done += int64(n)
	r.saw(r.done)
	return n, err
}
