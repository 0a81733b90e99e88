package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hubtest"
)

// python writes a cache as huggingface_hub does, without the listing that its newer
// versions keep.
func python(t *testing.T, files map[string][]byte, names []string, commit string) (cache string) {
	cache = t.TempDir()
	for name, content := range layout(files, names, commit) {
		file := filepath.Join(cache, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		if strings.Contains(name, "/snapshots/") {
			require.NoError(t, os.Symlink(content, file))
		} else {
			require.NoError(t, os.WriteFile(file, []byte(content), 0o666))
		}
	}
	return cache
}

// TestPythonsCache: what Python has downloaded is found, and no more is asked for.
func TestPythonsCache(t *testing.T) {
	s := hubtest.Start(t, nil)
	files := sdFiles(t)
	commit := s.Put(tiny, "main", files)
	o := options(t, s)
	o.Cache = python(t, files, sdNeeded(t), commit)
	before := listed(t, o.Cache)
	snapshot := filepath.Join(o.Cache, "models--owner--tiny-sd", "snapshots", commit)

	folder, err := Model(t.Context(), tiny+"@"+commit, o)
	require.NoError(t, err)
	require.Equal(t, snapshot, folder)
	require.Empty(t, s.Requests())
	o.Offline = true
	folder, err = Model(t.Context(), tiny, o)
	require.NoError(t, err)
	require.Equal(t, snapshot, folder)
	require.Empty(t, s.Requests())
	require.Equal(t, before, listed(t, o.Cache))
	o.Offline = false
	_, err = Model(t.Context(), tiny, o)
	require.NoError(t, err)
	require.Len(t, s.Requests(), 1)

	// A download that Python has not finished.
	names := slices.DeleteFunc(sdNeeded(t), func(name string) bool { return strings.HasPrefix(name, "unet/diffusion_pytorch_model-00002") })
	o.Cache = python(t, files, names, commit)
	o.Offline = true
	_, err = Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrOffline)
	require.ErrorContains(t, err, "unet/diffusion_pytorch_model-00002-of-00003.safetensors is not in the cache")
	o.Offline = false
	s.Bytes()
	_, err = Model(t.Context(), tiny+"@"+commit, o)
	require.NoError(t, err)
	require.Equal(t, int64(len(files["unet/diffusion_pytorch_model-00002-of-00003.safetensors"])), s.Bytes())
}

// TestNoNetwork: where the registry cannot be reached, the cache stands in for it.
func TestNoNetwork(t *testing.T) {
	s := hubtest.Start(t, nil)
	files := sdFiles(t)
	s.Put(tiny, "main", files)
	o := options(t, s)
	folder, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	o.Endpoint = "http://127.0.0.1:1"
	again, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	require.Equal(t, folder, again)
	o.Cache, o.Retries = t.TempDir(), 1
	_, err = Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrNetwork)
	o.Offline = true
	_, err = Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrOffline)
	require.Empty(t, listed(t, o.Cache))
}

// TestDamagedCache: a blob of another size, a link to nothing, a record whose blob is whole
// and a wrong listing are mended.
func TestDamagedCache(t *testing.T) {
	s := hubtest.Start(t, nil)
	files := sdFiles(t)
	commit := s.Put(tiny, "main", files)
	o := options(t, s)
	_, err := Model(t.Context(), tiny, o)
	require.NoError(t, err)
	want := listed(t, o.Cache)
	dir := filepath.Join(o.Cache, "models--owner--tiny-sd")
	hash := func(name string) string { return filepath.Join(dir, "blobs", hubtest.Hash(name, files[name])) }
	require.NoError(t, os.Truncate(hash("vae/diffusion_pytorch_model.safetensors"), 100))
	require.NoError(t, os.Remove(hash("vae/config.json")))
	whole := "unet/diffusion_pytorch_model-00002-of-00003.safetensors" // by a process killed before it had linked the blob
	require.NoError(t, os.WriteFile(hash(whole)+".ranges", make([]byte, 24), 0o666))
	require.NoError(t, os.Remove(filepath.Join(dir, "snapshots", commit, whole)))
	_, err = Model(t.Context(), tiny+"@"+commit, o)
	require.NoError(t, err)
	require.Equal(t, want, listed(t, o.Cache))

	tree := filepath.Join(dir, "trees", commit+".json")
	text, err := os.ReadFile(tree)
	require.NoError(t, err)
	wrong := strings.Replace(string(text), hubtest.Hash("vae/config.json", files["vae/config.json"]), strings.Repeat("0", 40), 1)
	require.NoError(t, os.WriteFile(tree, []byte(wrong), 0o666))
	require.NoError(t, os.Remove(filepath.Join(dir, "snapshots", commit, "vae", "config.json")))
	_, err = Model(t.Context(), tiny+"@"+commit, o)
	require.NoError(t, err)
	got := listed(t, o.Cache)
	maps.DeleteFunc(got, func(name, _ string) bool { return strings.Contains(name, strings.Repeat("0", 40)) })
	require.Equal(t, want, got)
}

// TestSpace: what does not fit is not begun.
func TestSpace(t *testing.T) {
	s := hubtest.Start(t, nil)
	s.Put(tiny, "main", sdFiles(t))
	o := options(t, s)
	o.free = func(string) (int64, error) { return 1 << 20, nil }
	_, err := Model(t.Context(), tiny, o)
	require.ErrorIs(t, err, ErrSpace)
	require.ErrorContains(t, err, "1.0 MB are free")
	require.Zero(t, s.Bytes())
	free, err := freeSpace(t.TempDir())
	require.NoError(t, err)
	require.Positive(t, free)
}

// TestHostileNames: nothing that a listing or an index names leads out of the cache.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"../x.safetensors", "/x.safetensors", "..", "a/../../x.safetensors", `a\b.safetensors`, "C:x.safetensors", "a\x00b", "unet/none.safetensors"} {
		s := hubtest.Start(t, nil)
		index, err := json.Marshal(map[string]any{"weight_map": map[string]string{"w": name}})
		require.NoError(t, err)
		s.Put(tiny, "main", map[string][]byte{"config.json": []byte("{}"), "model.safetensors.index.json": index, name: []byte("x")})
		o := options(t, s)
		o.Cache = filepath.Join(o.Cache, "in")
		_, err = Model(t.Context(), tiny, o)
		require.Error(t, err, name)
		require.NoFileExists(t, filepath.Join(o.Cache, "..", "x.safetensors"))
		for got := range listed(t, filepath.Dir(o.Cache)) {
			require.True(t, strings.HasPrefix(got, "in/"), got)
		}
	}
	for _, commit := range []string{"../../x", "main", strings.Repeat("g", 40), ""} {
		_, err := parseListing(fmt.Appendf(nil, `{"sha": %q, "siblings": []}`, commit))
		require.Error(t, err)
	}
}

// TestLocks: another process that downloads the same file is waited for.
func TestLocks(t *testing.T) {
	s := hubtest.Start(t, nil)
	data := []byte("weights")
	s.Put(tiny, "main", map[string][]byte{"line.safetensors": data})
	o := options(t, s)
	locks := filepath.Join(o.Cache, ".locks", "models--owner--tiny-sd")
	require.NoError(t, os.MkdirAll(locks, 0o777))
	other := flock.New(filepath.Join(locks, hubtest.SHA256(data)+".lock"))
	require.NoError(t, other.Lock())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := File(ctx, tiny+"/line.safetensors", o)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, s.Bytes())
	require.NoError(t, other.Unlock())

	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			_, err := File(t.Context(), tiny+"/line.safetensors", o)
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.Equal(t, int64(len(data)), s.Bytes(), "once")
}

// TestMain is a download, in the processes that TestKill starts.
func TestMain(m *testing.M) {
	if endpoint := os.Getenv("HUB_TEST_ENDPOINT"); endpoint != "" {
		_, err := Model(context.Background(), tiny, Options{Endpoint: endpoint, Cache: os.Getenv("HUB_TEST_CACHE"), Anonymous: true, piece: 128 << 10, Connections: 3})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child starts a download in another process.
func child(t *testing.T, s *hubtest.Server, cache string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "HUB_TEST_ENDPOINT="+s.URL, "HUB_TEST_CACHE="+cache)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

// TestKill kills a download at random moments: what the cache has is right each time,
// and the next process goes on. DUALPROCESS_KILLS=50 is the long form.
func TestKill(t *testing.T) {
	var kill chan struct{}
	var at, seen int
	var mu sync.Mutex
	s := hubtest.Start(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			if seen++; seen == at {
				close(kill)
			}
			mu.Unlock()
			h.ServeHTTP(w, r)
		})
	})
	s.Pause = time.Millisecond
	files := sdFiles(t)
	s.Put(tiny, "main", files)
	kills, cache := times(t, "DUALPROCESS_KILLS", 3), t.TempDir()
	for n := 0; n < kills; {
		mu.Lock()
		kill, seen, at = make(chan struct{}), 0, 2+(n*7)%40 // of the requests; a download has some 50
		mu.Unlock()
		cmd := child(t, s, cache)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case <-kill:
			time.Sleep(time.Duration(n%10) * 3 * time.Millisecond)
			cmd.Process.Kill()
			<-ended
			n++
		case err := <-ended: // it was done before the request came
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(filepath.Join(cache, "models--owner--tiny-sd")))
			s.Bytes()
		}
		requireRight(t, cache, files)
	}
	require.NoError(t, child(t, s, cache).Wait())
	requireRight(t, cache, files)
	for name := range listed(t, cache) {
		require.NotContains(t, name, ".ranges", "what is left of downloads")
	}
}

// TestTwoProcesses download the same, and each file comes once.
func TestTwoProcesses(t *testing.T) {
	s := hubtest.Start(t, nil)
	s.Pause = time.Millisecond
	files := sdFiles(t)
	s.Put(tiny, "main", files)
	cache := t.TempDir()
	one, two := child(t, s, cache), child(t, s, cache)
	require.NoError(t, one.Wait())
	require.NoError(t, two.Wait())
	requireRight(t, cache, files)
	var whole int64
	for _, name := range sdNeeded(t) {
		if len(hubtest.Hash(name, files[name])) == 64 {
			whole += int64(len(files[name]))
		}
	}
	require.Equal(t, whole, s.Bytes())
}
