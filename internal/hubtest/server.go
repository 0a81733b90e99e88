// Package hubtest is a registry that speaks the protocol of Hugging Face's hub, for
// tests: what it knows of repositories is in memory, small files come from the registry
// itself, and large ones from another server, to which it redirects with an address that
// is signed.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Server is a registry and the server of its large files.
type Server struct {
	URL string // of the registry

	// What may be set before requests come.

	Bare   bool              // listings have names alone, and the headers say the rest
	Token  string            // that gated repositories want
	Gated  map[string]bool   // repositories that want it
	Moved  map[string]string // old names of repositories
	Pause  time.Duration     // before each piece of 32 KiB of a large file
	Expire bool              // addresses of large files serve once

	mu       sync.Mutex
	commits  map[string]map[string]string // repository, revision -> commit
	files    map[string]map[string][]byte // commit -> files
	blobs    map[string][]byte            // large files by sha256
	used     map[string]bool              // signatures
	requests []Request
	bytes    int64 // of large files
}

// Request is one that the registry or the other server got.
type Request struct {
	Method, Path, Range, Authorization string
	Far                                bool // at the server of large files
}

// Start starts both servers, within proxy where that is not nil.
func Start(t testing.TB, proxy func(http.Handler) http.Handler) *Server {
	if proxy == nil {
		proxy = func(h http.Handler) http.Handler { return h }
	}
	s := &Server{
		Gated: map[string]bool{}, Moved: map[string]string{}, commits: map[string]map[string]string{},
		files: map[string]map[string][]byte{}, blobs: map[string][]byte{}, used: map[string]bool{},
	}
	far := httptest.NewServer(s.note(true, proxy(http.HandlerFunc(s.far))))
	t.Cleanup(far.Close)
	api, mux := http.NewServeMux(), http.NewServeMux() // one would not know which of both a path is
	api.HandleFunc("GET /api/models/{owner}/{name}/revision/{revision}", s.list)
	mux.HandleFunc("GET /{owner}/{name}/resolve/{revision}/{file...}", func(w http.ResponseWriter, r *http.Request) { s.resolve(w, r, far.URL) })
	near := httptest.NewServer(s.note(false, proxy(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r)
		} else {
			mux.ServeHTTP(w, r)
		}
	}))))
	t.Cleanup(near.Close)
	s.URL = near.URL
	return s
}

// Put makes files the content of a revision, and returns the commit.
func (s *Server) Put(repository, revision string, files map[string][]byte) string {
	h := sha1.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %s %x\n", repository, name, sha256.Sum256(files[name]))
	}
	commit := hex.EncodeToString(h.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commits[repository] == nil {
		s.commits[repository] = map[string]string{}
	}
	s.commits[repository][revision], s.commits[repository][commit] = commit, commit
	s.files[commit] = files
	for name, data := range files {
		if large(name) {
			s.blobs[SHA256(data)] = data
		}
	}
	return commit
}

// Requests returns those since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// Bytes returns how many bytes of large files were sent since the last call.
func (s *Server) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.bytes
	s.bytes = 0
	return n
}

// Folder reads the files of a folder, and leaves out those with a word in their names.
func Folder(t testing.TB, dir string, without ...string) map[string][]byte {
	files := map[string][]byte{}
	fsys := os.DirFS(dir)
	require.NoError(t, fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.ContainsFunc(without, func(word string) bool { return strings.Contains(name, word) }) {
			return err
		}
		files[name], err = fs.ReadFile(fsys, name)
		return err
	}))
	return files
}

// SHA256 is what a large file is called.
func SHA256(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

// Blob is what git calls a file.
func Blob(data []byte) string {
	return fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))
}

// Hash is what a file is called in the cache.
func Hash(name string, data []byte) string {
	if large(name) {
		return SHA256(data)
	}
	return Blob(data)
}

// large says whether git has a pointer in place of a file.
func large(name string) bool {
	return slices.Contains([]string{".safetensors", ".model", ".bin"}, path.Ext(name)) || path.Base(name) == "tokenizer.json"
}

// note keeps a record of requests.
func (s *Server) note(far bool, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, Request{r.Method, r.URL.Path, r.Header.Get("Range"), r.Header.Get("Authorization"), far})
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

// find returns the commit that a request is about; where there is none, it has answered.
func (s *Server) find(w http.ResponseWriter, r *http.Request) (repository, commit string, ok bool) {
	repository = r.PathValue("owner") + "/" + r.PathValue("name")
	if to, ok := s.Moved[repository]; ok {
		http.Redirect(w, r, strings.Replace(r.URL.RequestURI(), repository, to, 1), http.StatusTemporaryRedirect)
		return "", "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	revisions, ok := s.commits[repository]
	if !ok {
		Refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return "", "", false
	}
	if commit, ok = revisions[r.PathValue("revision")]; !ok {
		Refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+r.PathValue("revision"))
	}
	return repository, commit, ok
}

// Refuse answers with an error as the hub does.
func Refuse(w http.ResponseWriter, status int, code, words string) {
	w.Header().Set("X-Error-Code", code)
	w.Header().Set("X-Error-Message", words)
	w.WriteHeader(status)
}

// list describes a revision.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	_, commit, ok := s.find(w, r)
	if !ok {
		return
	}
	var siblings []map[string]any
	for _, name := range slices.Sorted(maps.Keys(s.files[commit])) {
		data := s.files[commit][name]
		f := map[string]any{"rfilename": name}
		if !s.Bare && r.URL.Query().Get("blobs") == "true" {
			f["size"], f["blobId"] = len(data), Blob(data)
			if large(name) {
				f["lfs"] = map[string]any{"sha256": SHA256(data), "size": len(data), "pointerSize": 134}
			}
		}
		siblings = append(siblings, f)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"id": "x", "sha": commit, "siblings": siblings, "gated": false})
}

// resolve sends a small file, or says where a large one is.
func (s *Server) resolve(w http.ResponseWriter, r *http.Request, far string) {
	repository, commit, ok := s.find(w, r)
	if !ok {
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if s.Gated[repository] && r.Header.Get("Authorization") != "Bearer "+s.Token {
		status := http.StatusUnauthorized
		if r.Header.Get("Authorization") != "" {
			status = http.StatusForbidden
		}
		Refuse(w, status, "GatedRepo", "Access to model "+repository+" is restricted. Your header was "+r.Header.Get("Authorization"))
		return
	}
	name := r.PathValue("file")
	data, ok := s.files[commit][name]
	if !ok {
		Refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	if !large(name) {
		w.Header().Set("ETag", `"`+Blob(data)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		return
	}
	w.Header().Set("X-Linked-Etag", `"`+SHA256(data)+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
	s.mu.Lock()
	signature := fmt.Sprintf("signature-%d", len(s.requests))
	s.mu.Unlock()
	http.Redirect(w, r, far+"/"+SHA256(data)+"?"+signature, http.StatusFound)
}

// far sends a large file.
func (s *Server) far(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	data, ok := s.blobs[strings.TrimPrefix(r.URL.Path, "/")]
	if s.Expire && s.used[r.URL.RawQuery] {
		ok = false
	}
	s.used[r.URL.RawQuery] = true
	s.mu.Unlock()
	if !ok || !strings.HasPrefix(r.URL.RawQuery, "signature-") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	http.ServeContent(&counted{w, s}, r, "", time.Time{}, bytes.NewReader(data))
}

// counted counts what is sent, and takes its time.
type counted struct {
	http.ResponseWriter
	s *Server
}

// Write implements http.ResponseWriter.
func (c *counted) Write(p []byte) (int, error) {
	time.Sleep(c.s.Pause)
	n, err := c.ResponseWriter.Write(p)
	c.s.mu.Lock()
	c.s.bytes += int64(n)
	c.s.mu.Unlock()
	return n, err
}
