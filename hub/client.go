package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// client speaks with the endpoint, and with where it leads.
type client struct {
	*settings
	http *http.Client
}

const (
	connectTimeout = 10 * time.Second
	maxRedirects   = 10
	userAgent      = "dualprocess-go"
)

func newClient(s *settings) *client {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
		MaxIdleConnsPerHost: s.Connections,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
		// HTTP/2 would put all ranges through one connection, with one window.
		Protocols: new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	// Redirects are followed by hand, as the token goes with none that leads elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{s, &http.Client{Transport: transport, CheckRedirect: stay}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// answer is a response with a body to read, or the last one of the endpoint.
type answer struct {
	*http.Response
	own  http.Header // of the endpoint's last response
	away *url.URL    // where the endpoint led; nil = it answered itself
}

// ask sends a request and follows redirects; border stops at the one that leads to
// where a file is, which describes the file. bytes is a range such as "bytes=0-9", or
// empty. What is neither 200, 206 nor that redirect is an error.
func (c *client) ask(ctx context.Context, method string, u *url.URL, bytes string, border bool) (*answer, error) {
	a := &answer{}
	left := !c.isEndpoint(u) // for good: where an answer leads back to the endpoint, another host wants something of it
	seen := map[string]bool{}
	for range maxRedirects + 1 {
		own := !left
		r, err := c.send(ctx, method, u, bytes, own)
		if err != nil {
			return nil, err
		}
		if own {
			a.own = r.Header
		}
		next, err := c.redirect(r)
		switch {
		case err != nil:
			r.Body.Close()
			return nil, err
		case next == nil && (r.StatusCode == http.StatusOK || r.StatusCode == http.StatusPartialContent):
			a.Response = r
			return a, nil
		case next == nil:
			defer r.Body.Close()
			return nil, c.refusal(r, own)
		case border && own && (r.Header.Get(linkedETag) != "" || !c.isEndpoint(next)):
			a.Response = r
			return a, nil
		}
		r.Body.Close()
		seen[u.String()] = true
		if seen[next.String()] {
			return nil, again("%s: redirects go round in a circle", c.show(next))
		}
		if u = next; left || !c.isEndpoint(next) {
			left, a.away = true, next
		}
	}
	return nil, again("%s: more than %d redirects", c.show(u), maxRedirects)
}

// send makes one request. The token goes to the endpoint alone.
func (c *client) send(ctx context.Context, method string, u *url.URL, bytes string, own bool) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, errors.New(c.scrub(err.Error()))
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept-Encoding", "identity") // a file's own bytes are wanted
	if bytes != "" {
		request.Header.Set("Range", bytes)
	}
	if own && c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	r, err := c.http.Do(request)
	if err != nil {
		return nil, c.broken(ctx, u, err)
	}
	return r, nil
}

// broken makes an error of a connection that failed. Its text alone is kept: the
// original has addresses with their secrets.
func (c *client) broken(ctx context.Context, u *url.URL, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return again("%s: %s", c.show(u), c.scrub(err.Error()))
}

// redirect returns where a response leads, nil for nowhere.
func (c *client) redirect(r *http.Response) (*url.URL, error) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	from := r.Request.URL
	next, err := from.Parse(r.Header.Get("Location"))
	switch {
	case r.Header.Get("Location") == "" || err != nil || next.Hostname() == "" || next.Scheme != "http" && next.Scheme != "https":
		return nil, again("%s: leads to no address", c.show(from))
	case from.Scheme == "https" && next.Scheme != "https":
		return nil, fmt.Errorf("%s: leads from https to http, at %s", c.show(from), next.Host)
	}
	next.User, next.Fragment = nil, ""
	return next, nil
}

// isEndpoint says whether an address has the scheme, host and port of the endpoint.
func (c *client) isEndpoint(u *url.URL) bool {
	return u.Scheme == c.endpoint.Scheme && u.Hostname() == c.endpoint.Hostname() && port(u) == port(c.endpoint)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// maxPage bounds what is read of an answer in JSON, in bytes.
const maxPage = 64 << 20

// page reads a small document, with retries.
func (c *client) page(ctx context.Context, u *url.URL, read func([]byte) error) error {
	return c.retry(ctx, func() (bool, error) {
		ctx, arrived, stop := c.watch(ctx)
		defer stop()
		a, err := c.ask(ctx, http.MethodGet, u, "", false)
		if err != nil {
			return false, err
		}
		defer a.Body.Close()
		data, err := io.ReadAll(io.LimitReader(&heard{a.Body, arrived}, maxPage+1))
		switch {
		case err != nil:
			return false, c.broken(ctx, u, err)
		case len(data) > maxPage:
			return false, fmt.Errorf("%s: more than %d bytes", c.show(u), maxPage)
		}
		if err := read(data); err != nil {
			return false, again("%s: %w", c.show(u), err)
		}
		return false, nil
	})
}

// heard tells of what is read.
type heard struct {
	io.Reader
	arrived func(n int)
}

// Read implements io.Reader.
func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	h.arrived(n)
	return n, err
}
