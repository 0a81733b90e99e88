package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hubtest"
)

// times is how often a test with a long form does what it does.
func times(t testing.TB, variable string, short int) int {
	text := os.Getenv(variable)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// faults is a proxy that does with some answers what networks and servers do.
type faults struct {
	mu    sync.Mutex
	draw  *rand.Rand
	share float64        // of answers that are spoilt
	seen  map[string]int // by kind
}

// fault spoils an answer, as the server has it.
type fault func(w http.ResponseWriter, r *http.Request, a *httptest.ResponseRecorder, draw *rand.Rand)

// kinds are the faults.
var kinds = map[string]fault{
	"truncated": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, draw *rand.Rand) {
		body := a.Body.Bytes()
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(a.Code)
		w.Write(body[:draw.IntN(len(body)+1)])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"shorter": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, draw *rand.Rand) {
		body := a.Body.Bytes()
		w.Header().Del("Content-Length")
		w.WriteHeader(a.Code)
		w.Write(body[:draw.IntN(len(body)+1)])
	},
	"longer": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, _ *rand.Rand) {
		w.Header().Del("Content-Length")
		w.WriteHeader(a.Code)
		w.Write(append(a.Body.Bytes(), "and more"...))
	},
	"flipped bit": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, draw *rand.Rand) {
		body := a.Body.Bytes()
		if len(body) > 0 {
			body[draw.IntN(len(body))] ^= 1 << draw.IntN(8)
		}
		w.WriteHeader(a.Code)
		w.Write(body)
	},
	"stalled": func(w http.ResponseWriter, r *http.Request, a *httptest.ResponseRecorder, _ *rand.Rand) {
		body := a.Body.Bytes()
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(a.Code)
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		wait(r)
	},
	"silent": func(_ http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder, _ *rand.Rand) {
		wait(r)
	},
	"hung up": func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder, *rand.Rand) {
		panic(http.ErrAbortHandler)
	},
	"loop": func(w http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder, _ *rand.Rand) {
		http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
	},
	"spiral": func(w http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder, draw *rand.Rand) {
		http.Redirect(w, r, fmt.Sprintf("%s?spiral=%d", r.URL.Path, draw.Int()), http.StatusFound)
	},
	"no address": func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder, _ *rand.Rand) {
		w.WriteHeader(http.StatusFound)
	},
	"another range": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, _ *rand.Rand) {
		if a.Code == http.StatusPartialContent {
			w.Header().Set("Content-Range", "bytes 1-2/3")
		}
		w.WriteHeader(a.Code)
		w.Write(a.Body.Bytes())
	},
	"shifted": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, _ *rand.Rand) {
		w.WriteHeader(a.Code)
		w.Write(append([]byte{0}, a.Body.Bytes()...)[:a.Body.Len()])
	},
	"encoded": func(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder, _ *rand.Rand) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(a.Code)
		w.Write(a.Body.Bytes())
	},
	"a page": func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder, _ *rand.Rand) {
		w.Header().Del("Content-Range")
		w.Header().Set("Content-Length", "18")
		w.Write([]byte("<h1>Log in!</h1>\n\n"))
	},
	"416": status(http.StatusRequestedRangeNotSatisfiable), "429": status(http.StatusTooManyRequests), "408": status(http.StatusRequestTimeout),
	"500": status(http.StatusInternalServerError), "502": status(http.StatusBadGateway), "503": status(http.StatusServiceUnavailable),
}

// wait brings nothing, until the client has left. After HEAD it may have asked for more by
// the same connection, and the server then does not see it leave.
func wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Second):
	}
}

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ *httptest.ResponseRecorder, _ *rand.Rand) {
		for _, name := range []string{"Content-Length", "Content-Range"} {
			w.Header().Del(name)
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(code)
	}
}

// proxy stands before a handler.
func (f *faults) proxy(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := httptest.NewRecorder()
		h.ServeHTTP(a, r)
		for name, values := range a.Header() {
			w.Header()[name] = values
		}
		f.mu.Lock()
		name := ""
		if f.draw.Float64() < f.share {
			n := f.draw.IntN(len(kinds))
			for kind := range kinds { // in any order
				if n--; n < 0 {
					name = kind
					break
				}
			}
			f.seen[name]++
		}
		own := rand.New(rand.NewPCG(f.draw.Uint64(), 0))
		f.mu.Unlock()
		if name != "" {
			kinds[name](w, r, a, own)
			return
		}
		w.WriteHeader(a.Code)
		w.Write(a.Body.Bytes())
	})
}

// requireRight looks at all that the cache has: no blob whose hash is not its name, no
// file of a snapshot that is not the repository's.
func requireRight(t *testing.T, cache string, files map[string][]byte) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(filepath.Base(name), ".ranges") || strings.HasSuffix(name, ".tmp") {
			return err
		}
		short, err := filepath.Rel(cache, name)
		require.NoError(t, err)
		parts := strings.Split(filepath.ToSlash(short), "/")
		switch {
		case len(parts) > 2 && parts[1] == "blobs":
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Contains(t, []string{hubtest.SHA256(data), hubtest.Blob(data)}, parts[2])
		case len(parts) > 3 && parts[1] == "snapshots":
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, bytes.Equal(files[strings.Join(parts[3:], "/")], data), short)
		}
		return nil
	}))
}

// TestFaults downloads through a proxy that spoils answers: what arrives is right, or an
// error. DUALPROCESS_FAULTS=100 is the long form.
func TestFaults(t *testing.T) {
	f := &faults{draw: rand.New(rand.NewPCG(17, 0)), seen: map[string]int{}}
	full, bare := hubtest.Start(t, f.proxy), hubtest.Start(t, f.proxy)
	bare.Bare = true
	files := sdFiles(t)
	full.Put(tiny, "main", files)
	bare.Put(tiny, "main", files)
	runs, succeeded := times(t, "DUALPROCESS_FAULTS", 10), 0
	for n := range runs {
		f.mu.Lock()
		f.share = []float64{0.05, 0.2, 0.5, 0.8}[n%4]
		f.mu.Unlock()
		o := options(t, []*hubtest.Server{bare, full, full}[n%3])
		o.Stall, o.Retries = 250*time.Millisecond, 6
		// What has failed is tried again, with what there is by then.
		for range 3 {
			folder, err := Model(t.Context(), tiny, o)
			requireRight(t, o.Cache, files)
			if err == nil {
				succeeded++
				for _, name := range sdNeeded(t) {
					require.FileExists(t, filepath.Join(folder, name))
				}
				break
			}
			known := errors.Is(err, ErrNetwork) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNotFound)
			require.True(t, known, "%v", err)
		}
	}
	t.Logf("%d of %d downloads succeeded; faults: %v", succeeded, runs, f.seen)
	require.Positive(t, succeeded, "how many depends on how slow the machine is")
}

// TestEachFault: a fault that comes once costs a retry, and one that always comes is an
// error in the end.
func TestEachFault(t *testing.T) {
	files := map[string][]byte{"line.safetensors": bytes.Repeat([]byte("0123456789"), 10_000)}
	for kind, spoil := range kinds {
		for _, always := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, ", always ", always), func(t *testing.T) {
				var mu sync.Mutex
				left := 1
				s := hubtest.Start(t, func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						mu.Lock()
						bad := strings.Contains(r.URL.RawQuery, "signature") && (left > 0 || always)
						if bad {
							left--
						}
						mu.Unlock()
						if !bad {
							h.ServeHTTP(w, r)
							return
						}
						a := httptest.NewRecorder()
						h.ServeHTTP(a, r)
						for name, values := range a.Header() {
							w.Header()[name] = values
						}
						spoil(w, r, a, rand.New(rand.NewPCG(1, 1)))
					})
				})
				s.Put(tiny, "main", files)
				o := options(t, s)
				o.Stall, o.Retries = 200*time.Millisecond, 2
				file, err := File(t.Context(), tiny+"/line.safetensors", o)
				requireRight(t, o.Cache, files)
				switch {
				case !always, kind == "longer", kind == "truncated", kind == "shorter": // the rest is not read, or asked for
					require.NoError(t, err)
					data, err := os.ReadFile(file)
					require.NoError(t, err)
					require.True(t, bytes.Equal(files["line.safetensors"], data))
				default:
					require.True(t, errors.Is(err, ErrNetwork) || errors.Is(err, ErrCorrupt), "%v", err)
					require.NotContains(t, err.Error(), "signature")
				}
			})
		}
	}
}

// TestResume: what came before a break is not asked for again.
func TestResume(t *testing.T) {
	data := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	var limit atomic.Int64
	s := hubtest.Start(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(&limited{w, &limit}, r)
		})
	})
	s.Put(tiny, "main", map[string][]byte{"line.safetensors": data})
	o := options(t, s)
	o.Connections, o.Retries, o.piece = 1, -1, 32<<20
	limit.Store(3<<20 + 1000) // bytes until the connection breaks
	_, err := File(t.Context(), tiny+"/line.safetensors", o)
	require.ErrorIs(t, err, ErrNetwork)
	s.Requests()
	limit.Store(1 << 30)
	var first Progress
	o.Progress = func(p Progress) {
		if first.Total == 0 {
			first = p
		}
	}
	file, err := File(t.Context(), tiny+"/line.safetensors", o)
	require.NoError(t, err)
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	var ranges []string
	for _, r := range s.Requests() {
		if r.Far {
			ranges = append(ranges, r.Range)
		}
	}
	require.Len(t, ranges, 1)
	from, err := strconv.Atoi(strings.TrimPrefix(strings.Split(ranges[0], "-")[0], "bytes="))
	require.NoError(t, err)
	require.Greater(t, from, 2<<20)
	require.GreaterOrEqual(t, first.Done, int64(from))
}

// limited breaks off after some bytes.
type limited struct {
	http.ResponseWriter
	left *atomic.Int64
}

// Write implements http.ResponseWriter.
func (l *limited) Write(p []byte) (int, error) {
	if l.left.Add(-int64(len(p))) < 0 {
		l.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return l.ResponseWriter.Write(p)
}
