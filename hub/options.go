package hub

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// defaultEndpoint is what huggingface_hub takes where HF_ENDPOINT is not set.
const defaultEndpoint = "https://huggingface.co"

// Options of a download. The zero value does what the environment says, as Python's
// huggingface_hub does.
type Options struct {
	// Token of the user, for repositories that are private or gated. "" = that of the
	// environment. It is sent to Endpoint alone, over TLS or within this machine.
	Token Token
	// Anonymous sends no token, whatever the environment has.
	Anonymous bool
	// Endpoint is the address of the registry, http or https. "" = HF_ENDPOINT.
	Endpoint string
	// Cache is the folder of all repositories. "" = that of the environment.
	Cache string
	// Revision is a branch, a tag or a commit, for a reference that names none. "" = main.
	Revision string
	// Variant chooses files of weights by the name that the Python libraries' variant gives
	// them, such as "fp16". Parts of a pipeline without any are taken without. "" = the plain
	// files, or where there are none the only variant.
	Variant string
	// Offline uses what is in the cache, as HF_HUB_OFFLINE=1 does.
	Offline bool

	// Accept is asked once the file that says what a model is (model_index.json or
	// config.json) is in folder, and before the large ones are fetched. Its error ends
	// the download and is returned.
	Accept func(folder string) error
	// Progress is told some times a second what has come, by one goroutine at a time.
	Progress func(Progress)
	// Logger is told of retries, and of what the cache has to stand in for.
	Logger *slog.Logger

	// Connections at once. 0 = 8.
	Connections int
	// Stall is how long a connection may bring next to nothing before it is tried again.
	// 0 = 30 seconds.
	Stall time.Duration
	// Retries is how often in a row something may fail before the download does. 0 = 8,
	// which takes about two minutes; negative = none.
	Retries int

	// For tests.
	pause time.Duration                   // after the first failure; doubled after each. 0 = half a second
	piece int64                           // bytes of a file that one request asks for. 0 = 32 MiB
	free  func(dir string) (int64, error) // bytes; nil asks the system
}

// Token is a secret that no verb of fmt, no logger and no encoder prints.
type Token string

const hidden = "(hidden)"

// Format implements fmt.Formatter.
func (t Token) Format(f fmt.State, _ rune) {
	if t != "" {
		fmt.Fprint(f, hidden)
	}
}

// LogValue implements slog.LogValuer.
func (t Token) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// MarshalText implements encoding.TextMarshaler.
func (t Token) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(t)), nil }

// settings are Options with what the environment says filled in.
type settings struct {
	Options
	endpoint *url.URL
	token    string // sent; "" = none
	withheld bool   // a token is there and not sent, as the endpoint would get it in the clear
}

func (o Options) settle() (*settings, error) {
	s := &settings{Options: o}
	s.Offline = o.Offline || truth("HF_HUB_OFFLINE")
	s.Connections = cmp.Or(o.Connections, 8)
	s.Stall = cmp.Or(o.Stall, 30*time.Second)
	s.Retries = max(cmp.Or(o.Retries, 8), 0)
	s.pause = cmp.Or(o.pause, time.Second/2)
	s.piece = cmp.Or(o.piece, 32<<20)
	if s.free == nil {
		s.free = freeSpace
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Connections < 1 || s.Stall < 0 {
		return nil, fmt.Errorf("%w: Connections is %d and Stall %v: neither may be negative", ErrOptions, o.Connections, o.Stall)
	}
	if err := s.settleCache(); err != nil {
		return nil, err
	}
	if err := s.settleEndpoint(); err != nil {
		return nil, err
	}
	return s, s.settleToken()
}

func (s *settings) settleCache() error {
	s.Cache = cmp.Or(expand(s.Cache), env("HF_HUB_CACHE"), env("HUGGINGFACE_HUB_CACHE"), filepath.Join(home(), "hub"))
	absolute, err := filepath.Abs(s.Cache)
	if err != nil {
		return fmt.Errorf("%w: Cache: %w", ErrOptions, err)
	}
	s.Cache = absolute
	return nil
}

func (s *settings) settleEndpoint() error {
	address := cmp.Or(s.Endpoint, os.Getenv("HF_ENDPOINT"), defaultEndpoint)
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%w: Endpoint (or HF_ENDPOINT) must be an address with http or https and a host, without user or query", ErrOptions)
	}
	s.endpoint = u
	return nil
}

func (s *settings) settleToken() error {
	token, err := s.findToken()
	if err != nil {
		return err
	}
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("%w: the token has a character that no token has", ErrOptions)
		}
	}
	if token != "" && s.endpoint.Scheme == "http" && !loopback(s.endpoint.Hostname()) {
		s.withheld = true
		return nil
	}
	s.token = token
	return nil
}

// findToken returns that of the options, of the environment, or of the file in which
// Python's login leaves it.
func (s *settings) findToken() (string, error) {
	clean := func(text string) string { return strings.TrimSpace(text) }
	if token := clean(string(s.Token)); token != "" && !s.Anonymous {
		return token, nil
	}
	if s.Anonymous || truth("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		return "", nil
	}
	if token := clean(cmp.Or(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))); token != "" {
		return token, nil
	}
	text, err := os.ReadFile(cmp.Or(env("HF_TOKEN_PATH"), filepath.Join(home(), "token")))
	if err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("the file of the token: %w", err)
	}
	return clean(string(text)), nil
}

// home is the folder of what Hugging Face's libraries keep for a user.
func home() string {
	return cmp.Or(env("HF_HOME"), filepath.Join(cmp.Or(env("XDG_CACHE_HOME"), expand("~/.cache")), "huggingface"))
}

// env is an environment variable that holds a path.
func env(name string) string { return expand(os.Getenv(name)) }

// expand replaces variables and a leading ~, as Python's expandvars and expanduser do.
func expand(path string) string {
	path = os.ExpandEnv(path)
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || os.IsPathSeparator(rest[0])) {
		if home, err := os.UserHomeDir(); err == nil {
			return home + rest
		}
	}
	return path
}

// truth says whether an environment variable is one of the words that Python's library
// takes for true.
func truth(name string) bool {
	switch strings.ToUpper(os.Getenv(name)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// loopback says whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
