package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// payload is what the test servers serve.
var payload = bytes.Repeat([]byte("wheel"), 50_000)

func sum(b []byte) string {
	hash := sha256.Sum256(b)
	return hex.EncodeToString(hash[:])
}

// serve starts an encrypted server and a client that trusts it.
func serve(t *testing.T, handler http.HandlerFunc) (*Client, string) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	client, err := NewClient("")
	require.NoError(t, err)
	client.http.Transport = server.Client().Transport
	return client, server.URL
}

func servePayload(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write(payload) // the client sees a failure
}

func requireEmpty(t *testing.T, folder string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(folder, ".dualprocess-*"))
	require.NoError(t, err)
	require.Empty(t, left, "a failed download must leave nothing behind")
}

func TestFetch(t *testing.T) {
	client, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Length", "250000")
		servePayload(w, r)
	})
	var done, total int64
	client.Progress = func(name string, d, of int64) {
		require.Equal(t, "a wheel", name)
		require.GreaterOrEqual(t, d, done)
		done, total = d, of
	}
	for _, hash := range []string{sum(payload), ""} {
		done = 0
		path, err := client.Fetch(t.Context(), Source{Name: "a wheel", URL: url, SHA256: hash}, t.TempDir())
		require.NoError(t, err)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, payload, got)
		require.EqualValues(t, 250_000, done)
		require.EqualValues(t, 250_000, total)
	}
}

func TestFetchFailures(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			servePayload(w, r)
		}
	}
	silent := func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("a little"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	cases := map[string]struct {
		handler http.HandlerFunc
		hash    string
		want    error
	}{
		"wrong hash": {servePayload, sum([]byte("other")), ErrHash},
		"truncated": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "250001")
			servePayload(w, r)
		}, sum(payload), io.ErrUnexpectedEOF},
		"too large, announced": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9000000000")
		}, "", ErrTooLarge},
		"too large, unannounced": {endless, "", ErrTooLarge},
		"stalled":                {silent, "", ErrStalled},
		"missing":                {http.NotFound, "", ErrNotFound},
		"led to an open connection": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host, http.StatusFound)
		}, "", ErrInsecure},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			client, url := serve(t, c.handler)
			client.limit, client.stall = 1<<20, 200*time.Millisecond
			folder := t.TempDir()
			_, err := client.Fetch(t.Context(), Source{Name: "x", URL: url, SHA256: c.hash}, folder)
			require.ErrorIs(t, err, c.want)
			requireEmpty(t, folder)
		})
	}
}

func TestFetchCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		servePayload(w, r)
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	folder := t.TempDir()
	_, err := client.Fetch(ctx, Source{Name: "x", URL: url}, folder)
	require.ErrorIs(t, err, context.Canceled)
	requireEmpty(t, folder)
}

// TestFetchInsecure: without a hash and without encryption anybody on the way could choose what gets loaded.
func TestFetchInsecure(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(servePayload))
	t.Cleanup(server.Close)
	client, err := NewClient("")
	require.NoError(t, err)
	_, err = client.Fetch(t.Context(), Source{Name: "x", URL: server.URL}, t.TempDir())
	require.ErrorIs(t, err, ErrInsecure)
	_, err = client.Fetch(t.Context(), Source{Name: "x", URL: server.URL, SHA256: sum(payload)}, t.TempDir())
	require.NoError(t, err, "the hash vouches for it")
}

func TestNewClientCertificates(t *testing.T) {
	_, err := NewClient(filepath.Join(t.TempDir(), "missing.pem"))
	require.ErrorIs(t, err, os.ErrNotExist)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, []byte("none"), 0o600))
	_, err = NewClient(empty)
	require.ErrorContains(t, err, "holds none")
}
