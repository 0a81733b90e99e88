package remote

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// openAI is the endpoint that is asked where none is named, and openAIKey the
// variable with its key.
const (
	openAI    = "https://api.openai.com/v1"
	openAIKey = "OPENAI_API_KEY"
)

// Basis says what a rating rests on.
type Basis int

const (
	// Either takes log-probabilities where the endpoint gives them and reads the
	// text where it does not.
	Either Basis = iota
	// LogProbs takes log-probabilities alone; their absence is an error that wraps
	// ErrNoLogProbs.
	LogProbs
	// Text reads what the model says, and P is 1 or 0.
	Text
)

// Options says whom to ask and how. Only Model must be given.
type Options struct {
	Model   string // as the endpoint names it, such as "gpt-4o"
	BaseURL string // http or https, up to and without "/chat/completions"; empty = OpenAI's

	// KeyVariable names the environment variable that holds the key. Empty is
	// OPENAI_API_KEY for OpenAI's own endpoint and no key at all for any other: a
	// key goes to nobody it was not meant for.
	KeyVariable string
	// InsecureKey allows to send the key by plain http to another machine.
	InsecureKey bool

	Basis     Basis  // what a rating rests on
	Normalise bool   // Score returns P(Yes) / (P(Yes) + P(No)) where the wanted answer is Yes, and so for No
	MaxSide   int    // longer sides of a picture are scaled down to it, in pixels; 0 = 2048, negative = never
	Detail    string // "low", "high" or what else the endpoint calls its levels of detail; empty = its default
	MaxTokens int    // bound of an answer, thoughts included; 0 = 16, and 4096 once a model turns out to think

	Timeout time.Duration // of one attempt, answer read; 0 = one minute
	Retries int           // attempts after one that failed for now (429, 5xx, connection); 0 = 4, negative = none
	MaxWait time.Duration // longest pause before an attempt, also when the endpoint asks for more; 0 = one minute

	// Extra fields of the request's body, for what an endpoint knows beyond the
	// common protocol, such as "reasoning_effort" or "chat_template_kwargs". Of these
	// "temperature" and "seed" are left out once the endpoint refuses them.
	Extra map[string]any

	// Transport carries the requests, for certificates or proxies of one's own; nil
	// = http.DefaultTransport. It sees the key.
	Transport http.RoundTripper
}

// ownFields are those of the request's body that Extra must leave alone.
var ownFields = []string{"model", "messages", "logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "n", "stream"}

// resolve fills in defaults, checks all fields and reads the key, which may be
// empty.
func (o *Options) resolve() (key string, err error) {
	if o.Model == "" {
		return "", invalid("Model", "must be given")
	}
	if o.Basis < Either || o.Basis > Text {
		return "", invalid("Basis", "%d is none", o.Basis)
	}
	for _, name := range ownFields {
		if _, ok := o.Extra[name]; ok {
			return "", invalid("Extra", "%s is not for Extra to set", name)
		}
	}
	if o.MaxTokens < 0 {
		return "", invalid("MaxTokens", "is negative")
	}
	if o.Timeout < 0 || o.MaxWait < 0 {
		return "", invalid("Timeout", "it and MaxWait must not be negative")
	}
	o.defaults()
	base, err := parseBase(o.BaseURL)
	if err != nil {
		return "", err
	}
	return o.key(base)
}

func (o *Options) defaults() {
	if o.BaseURL == "" {
		o.BaseURL = openAI
	}
	if o.KeyVariable == "" && strings.TrimRight(o.BaseURL, "/") == openAI {
		o.KeyVariable = openAIKey
	}
	if o.MaxSide == 0 {
		o.MaxSide = 2048
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.MaxWait == 0 {
		o.MaxWait = time.Minute
	}
	switch {
	case o.Retries == 0:
		o.Retries = 4
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
}

// parseBase checks the endpoint's address. No error repeats it, for it may hold a
// password.
func parseBase(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, invalid("BaseURL", "is no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, invalid("BaseURL", "must begin with http:// or https://")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, invalid("BaseURL", "names no host")
	case u.User != nil:
		return nil, invalid("BaseURL", "must not hold a name or password; see KeyVariable")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, invalid("BaseURL", "must have neither a query nor a fragment")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/chat/completions"):
		return nil, invalid("BaseURL", "must end before /chat/completions")
	}
	return u, nil
}

// key reads the key from the environment. No error repeats it.
func (o *Options) key(base *url.URL) (string, error) {
	if o.KeyVariable == "" {
		return "", nil
	}
	key := strings.TrimSpace(os.Getenv(o.KeyVariable))
	if key == "" {
		return "", fmt.Errorf("%w: the environment variable %s is empty", ErrKey, o.KeyVariable)
	}
	for _, r := range key {
		if r <= ' ' || r > '~' {
			return "", fmt.Errorf("%w: the environment variable %s holds a character that no key has", ErrKey, o.KeyVariable)
		}
	}
	if base.Scheme == "http" && !o.InsecureKey && !loopback(base.Hostname()) {
		return "", fmt.Errorf("%w: BaseURL is plain http to another machine; InsecureKey would allow that", ErrKey)
	}
	return key, nil
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// invalid says which field cannot be, and why.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrOptions, field, fmt.Sprintf(format, args...))
}

// What a caller may want to tell apart. Cancellation and deadlines of the context
// come as the context's own errors.
var (
	ErrOptions     = errors.New("invalid options")                  // the error names the field
	ErrKey         = errors.New("no usable key")                    // none in the environment, or the endpoint refuses it
	ErrPicture     = errors.New("unusable picture")                 // nil, empty, or too large to send
	ErrUnavailable = errors.New("the endpoint is not available")    // no connection, no answer in time, 429 or 5xx, after all retries
	ErrRequest     = errors.New("the endpoint refuses the request") // the other 4xx
	ErrRedirect    = errors.New("the endpoint redirects elsewhere") // which is not followed
	ErrResponse    = errors.New("unusable response")                // too long, or not what the protocol says
	ErrNoLogProbs  = errors.New("the endpoint gives no log-probabilities")
	ErrAnswer      = errors.New("the model gave no usable answer") // neither Yes nor No, nothing at all, or a refusal
)
