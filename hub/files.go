package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// files are those of the repository's commit, whether they are here or not.
func (r *repository) files() fs.FS {
	if r.unlisted {
		return os.DirFS(r.snapshot(r.commit))
	}
	t := &fileTree{at: *r, folders: map[string][]fs.DirEntry{".": nil}}
	for name, e := range r.listing.files {
		t.put(name, fileInfo{path.Base(name), e.size, 0o444})
	}
	for _, entries := range t.folders {
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
	return t
}

// fileTree is the file system of a commit.
type fileTree struct {
	at      repository // as it was: it may find out more, and another commit
	folders map[string][]fs.DirEntry
}

// put enters a file or a folder, and the folders around it.
func (t *fileTree) put(name string, info fileInfo) {
	dir := path.Dir(name)
	if _, ok := t.folders[dir]; !ok {
		t.put(dir, fileInfo{path.Base(dir), 0, fs.ModeDir | 0o555})
	}
	t.folders[dir] = append(t.folders[dir], fs.FileInfoToDirEntry(info))
	if info.IsDir() {
		t.folders[name] = nil
	}
}

// Open implements fs.FS.
func (t *fileTree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	e, ok := t.at.listing.files[name]
	if ok && t.at.has(t.at.commit, name, e) {
		return os.Open(t.at.file(t.at.commit, name))
	}
	if ok {
		return &remoteFile{t: t, name: name, entry: e}, nil
	}
	if entries, ok := t.folders[name]; ok {
		return &folder{fileInfo{path.Base(name), 0, fs.ModeDir | 0o555}, entries}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// fileInfo describes a file or a folder.
type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return max(i.size, 0) }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }

// folder is an open folder.
type folder struct {
	fileInfo
	entries []fs.DirEntry
}

// Stat implements fs.File.
func (f *folder) Stat() (fs.FileInfo, error) { return f.fileInfo, nil }

// Read implements fs.File.
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("is a folder")}
}

// Close implements fs.File.
func (f *folder) Close() error { return nil }

// ReadDir implements fs.ReadDirFile.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	some := f.entries
	if n > 0 {
		if len(some) == 0 {
			return nil, io.EOF
		}
		some = some[:min(n, len(some))]
	}
	f.entries = f.entries[len(some):]
	return some, nil
}

// cachedPieces is up to how many pieces a file is brought into the cache when it is read,
// as tokenizers and configurations are; of larger ones, and of weights, ranges are read.
const cachedPieces = 2

// whole says whether the file is brought into the cache.
func (f *remoteFile) whole() bool {
	return f.size < 0 || f.size <= cachedPieces*f.t.at.piece && path.Ext(f.name) != ".safetensors"
}

// remoteFile is an open file that is not here.
type remoteFile struct {
	t    *fileTree
	name string
	entry
	local *os.File // once it is here
	at    int64
}

// Stat implements fs.File.
func (f *remoteFile) Stat() (fs.FileInfo, error) {
	return fileInfo{path.Base(f.name), f.size, 0o444}, nil
}

// Read implements fs.File.
func (f *remoteFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *remoteFile) ReadAt(p []byte, at int64) (n int, err error) {
	if f.local == nil && f.whole() {
		if err := f.bring(); err != nil {
			return 0, err
		}
	}
	if f.local != nil {
		return f.local.ReadAt(p, at)
	}
	if at < 0 || at >= f.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), f.size-at)]
	if err := f.pull(want, at); err != nil {
		return 0, fmt.Errorf("hub: %s: %s: %w", f.t.at.ref.Repository, f.name, err)
	}
	if len(want) < len(p) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// bring brings the file into the cache.
func (f *remoteFile) bring() error {
	r := &f.t.at
	if err := r.fetch(r.ctx, f.name); err != nil {
		return fmt.Errorf("hub: %s: %w", r.ref.Repository, err)
	}
	local, err := os.Open(r.file(r.commit, f.name))
	f.local = local
	return err
}

// pull reads a range.
func (f *remoteFile) pull(p []byte, at int64) error {
	r := &f.t.at
	if r.local {
		return fmt.Errorf("%w: %s", ErrOffline, f.name)
	}
	if len(p) == 0 {
		return nil
	}
	u := r.address(r.ref.Repository, r.commit, f.name)
	to := at + int64(len(p))
	return r.retry(r.ctx, func() (bool, error) {
		ctx, arrived, stop := r.watch(r.ctx)
		defer stop()
		a, err := r.ask(ctx, http.MethodGet, u, fmt.Sprintf("bytes=%d-%d", at, to-1), false)
		if err != nil {
			return false, err
		}
		defer a.Body.Close()
		if err := checkRange(a.Header.Get("Content-Range"), at, to, f.size); err != nil {
			return false, again("%s: %w", r.show(u), err)
		}
		if _, err := io.ReadFull(&heard{a.Body, arrived}, p); err != nil {
			return false, r.broken(ctx, u, err)
		}
		return false, nil
	})
}

// Close implements fs.File.
func (f *remoteFile) Close() error {
	if f.local != nil {
		return f.local.Close()
	}
	return nil
}
