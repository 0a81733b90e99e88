package hub

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hubtest"
)

const secret = "hf_secretSECRETsecret"

// TestGate: a gated repository wants a token, and the error says how to come by one.
func TestGate(t *testing.T) {
	s := hubtest.Start(t, nil)
	s.Put(tiny, "main", sdFiles(t))
	s.Gated[tiny], s.Token = true, secret
	var log strings.Builder
	o := options(t, s)
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, err := Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrAccess)
	for _, words := range []string{"gated", "accept its conditions", s.URL, "no token was sent", "HF_TOKEN"} {
		require.ErrorContains(t, err, words)
	}
	o.Anonymous, o.Token = false, "hf_wrongWRONGwrong"
	_, err = Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrAccess)
	require.ErrorContains(t, err, "does not suffice")
	require.ErrorContains(t, err, "was Bearer (hidden)", "the server's words, without what they repeat")
	require.NotContains(t, err.Error(), "wrongWRONG")
	require.NotContains(t, fmt.Sprintf("%+v", err), "wrongWRONG")

	o.Token = secret
	s.Requests()
	folder, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	near, far := 0, 0
	for _, r := range s.Requests() {
		if r.Far {
			far++
			require.Empty(t, r.Authorization, "the token goes to no other host")
		} else {
			near++
			require.Equal(t, "Bearer "+secret, r.Authorization)
		}
	}
	require.Positive(t, near)
	require.Positive(t, far)
	require.NotContains(t, log.String(), "SECRET")
	require.NotContains(t, log.String(), "WRONG")

	// What is in the cache stays there for who has lost the access.
	s.Put(tiny, "main", map[string][]byte{"model_index.json": []byte(`{"scheduler": ["diffusers", "DDIMScheduler"]}`)})
	o.Anonymous, o.Token = true, ""
	again, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	require.Equal(t, folder, again)
	require.Contains(t, log.String(), "the cache stands in for it")
}

// TestMissing tells what there is not.
func TestMissing(t *testing.T) {
	s := hubtest.Start(t, nil)
	s.Put(tiny, "main", map[string][]byte{"model.gguf": nil})
	o := options(t, s)
	for ref, words := range map[string]string{
		"owner/none": "no such repository, or it is private", tiny + "@v2": "no such revision", tiny: "GGUF",
		tiny + "@1234567890123456789012345678901234567890": "no such revision",
	} {
		_, err := Model(t.Context(), ref, o)
		require.ErrorIs(t, err, ErrNotFound, ref)
		require.ErrorContains(t, err, words)
		require.ErrorContains(t, err, "hub: "+ref+": ")
	}
	_, err := Model(t.Context(), "owner/none", o)
	require.ErrorIs(t, err, ErrAccess, "the registry does not tell which")
}

// TestRedirects: none leads from https to http, and the token goes along with none.
func TestRedirects(t *testing.T) {
	var got []string
	open := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
	}))
	defer open.Close()
	closed := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, open.URL+"/x?"+secret, http.StatusFound)
	}))
	defer closed.Close()
	settings, err := Options{Endpoint: closed.URL, Token: secret, Retries: -1}.settle()
	require.NoError(t, err)
	c := newClient(settings)
	c.http.Transport = closed.Client().Transport
	_, err = c.ask(t.Context(), http.MethodGet, c.endpoint, "", false)
	require.ErrorContains(t, err, "from https to http")
	require.Empty(t, got)

	// The same host at another port is another host.
	settings, err = Options{Endpoint: open.URL, Token: secret, Retries: -1}.settle()
	require.NoError(t, err)
	c = newClient(settings)
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Empty(t, r.Header.Get("Authorization"))
		http.Redirect(w, r, open.URL, http.StatusFound)
	}))
	defer second.Close()
	u, err := c.endpoint.Parse(second.URL)
	require.NoError(t, err)
	a, err := c.ask(t.Context(), http.MethodGet, u, "", false)
	require.NoError(t, err)
	a.Body.Close()
	require.Equal(t, []string{""}, got, "not even where another host leads back to the endpoint")

	_, err = c.ask(t.Context(), http.MethodGet, must(c.endpoint.Parse("http://127.0.0.1:1/"+secret+"?"+secret)), "", false)
	require.ErrorContains(t, err, "127.0.0.1:1/(hidden)")
	require.NotContains(t, err.Error(), secret)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestTokenIsHidden: no way of printing options shows it.
func TestTokenIsHidden(t *testing.T) {
	o := Options{Token: secret}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("options", "token", o.Token, "struct", struct{ Token Token }{o.Token})
	texts := []string{log.String(), string(must(json.Marshal(struct{ Token Token }{o.Token})))}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, o.Token), fmt.Sprintf(verb, o))
	}
	for _, text := range texts {
		require.NotContains(t, text, "SECRET")
		require.NotContains(t, text, fmt.Sprintf("%x", secret))
	}
	require.Empty(t, fmt.Sprint(Token("")))
}

// TestEnvironment: what Python's library reads, and in its order.
func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	require.NoError(t, os.WriteFile(file, []byte("hf_file\n"), 0o600))
	all := []string{"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH",
		"HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "XDG_CACHE_HOME"}
	type result struct {
		cache, token, endpoint string
		offline                bool
	}
	for name, test := range map[string]struct {
		env  map[string]string
		o    Options
		want result
	}{
		"nothing":            {nil, Options{}, result{filepath.Join(dir, ".cache/huggingface/hub"), "", defaultEndpoint, false}},
		"cache home":         {map[string]string{"XDG_CACHE_HOME": dir}, Options{}, result{cache: filepath.Join(dir, "huggingface/hub")}},
		"home":               {map[string]string{"HF_HOME": dir}, Options{}, result{cache: filepath.Join(dir, "hub"), token: "hf_file"}},
		"home with ~":        {map[string]string{"HF_HOME": "~/x"}, Options{}, result{cache: filepath.Join(dir, "x/hub")}},
		"home with $":        {map[string]string{"HF_HOME": "$HOME/x"}, Options{}, result{cache: filepath.Join(dir, "x/hub")}},
		"cache":              {map[string]string{"HF_HOME": "/x", "HF_HUB_CACHE": dir}, Options{}, result{cache: dir}},
		"older cache":        {map[string]string{"HUGGINGFACE_HUB_CACHE": dir}, Options{}, result{cache: dir}},
		"given cache":        {map[string]string{"HF_HUB_CACHE": "/x"}, Options{Cache: dir}, result{cache: dir}},
		"token":              {map[string]string{"HF_TOKEN": " hf_env\n", "HF_HOME": dir}, Options{}, result{token: "hf_env"}},
		"older token":        {map[string]string{"HUGGING_FACE_HUB_TOKEN": "hf_old"}, Options{}, result{token: "hf_old"}},
		"token's file":       {map[string]string{"HF_TOKEN_PATH": file}, Options{}, result{token: "hf_file"}},
		"given token":        {map[string]string{"HF_TOKEN": "hf_env"}, Options{Token: "hf_given"}, result{token: "hf_given"}},
		"anonymous":          {map[string]string{"HF_TOKEN": "hf_env"}, Options{Anonymous: true}, result{}},
		"implicit":           {map[string]string{"HF_TOKEN": "hf_env", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "true"}, Options{}, result{}},
		"endpoint":           {map[string]string{"HF_ENDPOINT": "https://mirror.example/hf/", "HF_TOKEN": "x"}, Options{}, result{endpoint: "https://mirror.example/hf", token: "x"}},
		"given endpoint":     {map[string]string{"HF_ENDPOINT": "https://mirror.example"}, Options{Endpoint: "https://other.example"}, result{endpoint: "https://other.example"}},
		"in the clear":       {map[string]string{"HF_TOKEN": "hf_env"}, Options{Endpoint: "http://mirror.example"}, result{endpoint: "http://mirror.example"}},
		"on this machine":    {map[string]string{"HF_TOKEN": "hf_env"}, Options{Endpoint: "http://127.0.0.1:80"}, result{endpoint: "http://127.0.0.1:80", token: "hf_env"}},
		"offline":            {map[string]string{"HF_HUB_OFFLINE": "yes"}, Options{}, result{offline: true}},
		"not offline":        {map[string]string{"HF_HUB_OFFLINE": "0"}, Options{}, result{}},
		"offline by options": {nil, Options{Offline: true}, result{offline: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("HOME", dir)
			for _, variable := range all {
				t.Setenv(variable, test.env[variable])
			}
			s, err := test.o.settle()
			require.NoError(t, err)
			require.Equal(t, test.want.token, s.token)
			require.Equal(t, test.want.offline, s.Offline)
			if test.want.cache != "" {
				require.Equal(t, test.want.cache, s.Cache)
			}
			if test.want.endpoint != "" {
				require.Equal(t, test.want.endpoint, s.endpoint.String())
			}
		})
	}
	for _, o := range []Options{{Endpoint: "ftp://x"}, {Endpoint: "mirror.example"}, {Endpoint: "https://me:" + secret + "@mirror.example"}, {Token: secret + "\nX: y"}, {Connections: -1}, {Stall: -1}} {
		_, err := o.settle()
		require.ErrorIs(t, err, ErrOptions)
		require.NotContains(t, err.Error(), secret)
	}
	_, err := Model(t.Context(), tiny, Options{Revision: "../x"})
	require.ErrorIs(t, err, ErrOptions)
}
