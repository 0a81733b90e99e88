package install

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlaceTogether: of several processes that start at once, one downloads. Each opens the lock file itself, so
// goroutines stand for processes here.
func TestPlaceTogether(t *testing.T) {
	archive := makeZip(t, entry{name: "a/lib.so", content: "the library"})
	var served atomic.Int32
	client, url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		_, _ = w.Write(archive) // the client sees a failure
	})
	folder := filepath.Join(t.TempDir(), "not", "yet")
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			source := Source{Name: "x", URL: url, SHA256: sum(archive)}
			path, err := client.Place(t.Context(), source, library, folder, "plugin.so")
			if err == nil {
				var got []byte
				got, err = os.ReadFile(path)
				if string(got) != "the library" {
					t.Errorf("got %q", got)
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		require.EqualValues(t, 1, served.Load())
	}
	requireEmptyButLock(t, folder, "plugin.so")
	info, err := os.Stat(filepath.Join(folder, "plugin.so"))
	require.NoError(t, err)
	require.EqualValues(t, 0o755, info.Mode().Perm())
}

func requireEmptyButLock(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var got []string
	for _, e := range entries {
		if e.Name() != ".dualprocess.lock" {
			got = append(got, e.Name())
		}
	}
	require.ElementsMatch(t, names, got)
}

func TestPlaceFailures(t *testing.T) {
	client, url := serve(t, servePayload)
	folder := t.TempDir()
	_, err := client.Place(t.Context(), Source{Name: "x", URL: url, SHA256: sum(payload)}, library, folder, "plugin.so")
	require.ErrorContains(t, err, "neither a .zip nor a .tar.gz")
	requireEmptyButLock(t, folder)

	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = client.Place(t.Context(), Source{Name: "x", URL: url}, library, filepath.Join(file, "sub"), "plugin.so")
	require.Error(t, err, "no folder can be made in a file")
}

func TestLock(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("no locks here")
	}
	folder := t.TempDir()
	stale, err := TempFolder(folder)
	require.NoError(t, err)
	unlock, err := Lock(t.Context(), folder)
	require.NoError(t, err)
	require.NoDirExists(t, stale, "what a killed process left is swept")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Lock(ctx, folder)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	unlock()
	unlock, err = Lock(t.Context(), folder)
	require.NoError(t, err)
	unlock()
}
