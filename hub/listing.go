package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// listing are the files of a commit.
type listing struct {
	commit string
	files  map[string]entry // by name, with slashes
}

// entry is what a registry says of a file.
type entry struct {
	size   int64  // in bytes; -1 = it does not say
	blob   string // git's hash of the file, or of the pointer to it that is in git
	sha256 string // of a large file
}

// hash is what the file is checked by, and called in the cache; "" = not known yet.
func (e entry) hash() string {
	if e.sha256 != "" {
		return e.sha256
	}
	return e.blob
}

// What a listing is believed to have at most.
const (
	maxFiles = 200_000
	maxSize  = 1 << 44 // bytes of a file
)

// parseListing reads the registry's description of a revision. Files whose names are no
// paths are left out: nothing can need them.
func parseListing(data []byte) (*listing, error) {
	var page struct {
		Commit string `json:"sha"`
		Files  []struct {
			Name string `json:"rfilename"`
			Size *int64 `json:"size"`
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
				Size   *int64 `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(data, &page); err != nil {
		return nil, err
	}
	if !commitName.MatchString(page.Commit) || len(page.Files) > maxFiles {
		return nil, errors.New("names no commit, or more files than there can be")
	}
	l := &listing{page.Commit, make(map[string]entry, len(page.Files))}
	for _, f := range page.Files {
		e := entry{size: -1, blob: f.Blob}
		size := f.Size
		if f.LFS != nil {
			e.sha256, size = f.LFS.SHA256, cmp.Or(f.LFS.Size, f.Size)
		}
		if size != nil {
			e.size = *size
		}
		if f.LFS != nil && e.sha256 == "" {
			e.blob = "" // of a pointer
		}
		if err := l.add(f.Name, e); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// add adds a file.
func (l *listing) add(name string, e entry) error {
	if !validPath(name) {
		return nil
	}
	if _, ok := l.files[name]; ok {
		return fmt.Errorf("lists %q twice", name)
	}
	if e.blob != "" && !commitName.MatchString(e.blob) || e.sha256 != "" && (len(e.sha256) != 64 || !blobName.MatchString(e.sha256)) || e.size < -1 || e.size > maxSize {
		return fmt.Errorf("says of %q what cannot be: %d bytes, hash %.80q", name, e.size, e.hash())
	}
	l.files[name] = e
	return nil
}

// list asks the registry for the files of a revision.
func (c *client) list(ctx context.Context, repository, revision string) (l *listing, err error) {
	u := c.endpoint.JoinPath("api", "models", repository, "revision", url.PathEscape(revision))
	u.RawQuery = "blobs=true"
	err = c.page(ctx, u, func(data []byte) (err error) {
		l, err = parseListing(data)
		return err
	})
	if err == nil && commitName.MatchString(revision) && l.commit != revision {
		err = fmt.Errorf("%w: asked for commit %s, the registry answers with %s", ErrCorrupt, revision, l.commit)
	}
	return l, err
}

// The headers by which the endpoint describes a file that is elsewhere.
const (
	linkedETag = "X-Linked-Etag"
	linkedSize = "X-Linked-Size"
	repoCommit = "X-Repo-Commit"
)

// address is that of a file.
func (c *client) address(repository, commit, name string) *url.URL {
	u := c.endpoint.JoinPath(repository, "resolve", commit)
	for part := range strings.SplitSeq(name, "/") {
		u = u.JoinPath(url.PathEscape(part))
	}
	return u
}

// describe asks the endpoint about a file of which the listing says too little.
func (c *client) describe(ctx context.Context, u *url.URL, commit string) (e entry, err error) {
	err = c.retry(ctx, func() (bool, error) {
		ctx, _, stop := c.watch(ctx)
		defer stop()
		a, err := c.ask(ctx, http.MethodHead, u, "", true)
		if err != nil {
			return false, err
		}
		defer a.Body.Close()
		e, err = describedBy(a.Header, a.ContentLength, commit)
		if err != nil {
			return false, again("%s: %w", c.show(u), err)
		}
		return false, nil
	})
	return e, err
}

// describedBy reads the headers about a file. length is that of the answer's body, which
// is the file's unless the headers describe one that is elsewhere.
func describedBy(h http.Header, length int64, commit string) (entry, error) {
	if got := h.Get(repoCommit); got != commit {
		return entry{}, fmt.Errorf("answers with commit %.60q, not %s", got, commit)
	}
	e := hashOf(h)
	e.size = length
	if text := h.Get(linkedSize); text != "" {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return entry{}, fmt.Errorf("%s is %.40q", linkedSize, text)
		}
		e.size = size
	}
	if e.hash() == "" || e.size < 0 || e.size > maxSize {
		return entry{}, errors.New("tells no hash or no size of the file, so that it cannot be checked")
	}
	return e, nil
}

// hashOf reads the hash of a file from the headers about it; what is no hash is none.
func hashOf(h http.Header) entry {
	tag := h.Get(linkedETag)
	if tag == "" {
		tag = h.Get("ETag")
	}
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	switch {
	case !blobName.MatchString(tag):
		return entry{}
	case len(tag) == 64:
		return entry{sha256: tag}
	}
	return entry{blob: tag}
}

// tree is a listing as huggingface_hub keeps it on the disk.
type tree struct {
	Version int                 `json:"format_version"`
	Files   map[string]treeFile `json:"files"`
}

type treeFile struct {
	Size    int64  `json:"size"`
	Blob    string `json:"blob_id"`
	SHA256  string `json:"lfs_sha256,omitempty"`
	LFSSize *int64 `json:"lfs_size,omitempty"`
}

const treeVersion = 1

// parseTree reads a listing from the disk.
func parseTree(data []byte, commit string) (*listing, error) {
	var t tree
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, err
	}
	if t.Version != treeVersion || len(t.Files) > maxFiles {
		return nil, errors.New("a format of another version")
	}
	l := &listing{commit, make(map[string]entry, len(t.Files))}
	for name, f := range t.Files {
		e := entry{size: f.Size, blob: f.Blob, sha256: f.SHA256}
		if f.LFSSize != nil {
			e.size = *f.LFSSize
		}
		if err := l.add(name, e); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readTree reads the listing of a commit from the cache; nil where there is none.
func (c *cache) readTree(commit string) *listing {
	f, err := os.Open(c.tree(commit))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPage+1))
	if err != nil || len(data) > maxPage {
		return nil
	}
	l, err := parseTree(data, commit)
	if err != nil {
		return nil // another version's, or damaged: the registry is asked
	}
	return l
}

// writeTree keeps the listing of a commit, if the registry says all that belongs there.
func (c *cache) writeTree(l *listing) error {
	t := tree{treeVersion, map[string]treeFile{}}
	for name, e := range l.files {
		if e.size < 0 || e.blob == "" {
			return nil
		}
		f := treeFile{Size: e.size, Blob: e.blob, SHA256: e.sha256}
		if e.sha256 != "" {
			f.LFSSize = &e.size
		}
		t.Files[name] = f
	}
	if err := os.MkdirAll(filepath.Dir(c.tree(l.commit)), 0o777); err != nil {
		return err
	}
	return files.Write(c.tree(l.commit), func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		return encoder.Encode(t)
	})
}
