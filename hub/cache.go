package hub

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/dualprocess/dualprocess-go/internal/files"
)

// cache is the folder of one repository in the cache of all.
type cache struct {
	dir   string
	locks string // folder of the locks of its blobs
}

func newCache(root, repository string) *cache {
	name := "models--" + strings.ReplaceAll(repository, "/", "--")
	return &cache{filepath.Join(root, name), filepath.Join(root, ".locks", name)}
}

// Paths. What they are made of is a hash, a commit's name or a path that has been checked.

func (c *cache) blob(hash string) string       { return filepath.Join(c.dir, "blobs", hash) }
func (c *cache) snapshot(commit string) string { return filepath.Join(c.dir, "snapshots", commit) }
func (c *cache) tree(commit string) string     { return filepath.Join(c.dir, "trees", commit+".json") }
func (c *cache) file(commit, name string) string {
	return filepath.Join(c.snapshot(commit), filepath.FromSlash(name))
}
func (c *cache) ref(revision string) string {
	return filepath.Join(c.dir, "refs", filepath.FromSlash(revision))
}

// commit returns the commit that a revision was last seen at, "" if it never was.
func (c *cache) commit(revision string) string {
	if commitName.MatchString(revision) {
		return revision
	}
	text, err := os.ReadFile(c.ref(revision))
	if commit := strings.TrimSpace(string(text)); err == nil && commitName.MatchString(commit) {
		return commit
	}
	return ""
}

// setCommit keeps the commit of a branch or tag.
func (c *cache) setCommit(revision, commit string) error {
	if revision == commit || c.commit(revision) == commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.ref(revision)), 0o777); err != nil {
		return err
	}
	return files.Write(c.ref(revision), func(w io.Writer) error {
		_, err := io.WriteString(w, commit)
		return err
	})
}

// has says whether a commit's file is there; of another size than the registry's it is
// not.
func (c *cache) has(commit, name string, e entry) bool { return sized(c.file(commit, name), e.size) }

// sized says whether there is a file of a size; -1 is any.
func sized(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// link puts a blob in a commit's place of a file: by a relative link, or where the system
// has none by another name of the same file, or by a copy.
func (c *cache) link(commit, name string, e entry) error {
	file, blob := c.file(commit, name), c.blob(e.hash())
	if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
		if target, err := os.Stat(blob); err == nil && os.SameFile(info, target) {
			return nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(file), blob)
	if err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+"."+suffix()+".tmp")
	defer os.Remove(temp) // gone already where all went well
	if err := os.Symlink(target, temp); err == nil {
		return os.Rename(temp, file)
	}
	if err := os.Link(blob, temp); err == nil {
		return os.Rename(temp, file)
	}
	return files.Write(file, func(w io.Writer) error {
		f, err := os.Open(blob)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
}

// suffix makes names that no other process uses.
func suffix() string { return strconv.FormatUint(rand.Uint64(), 36) }

// lockPause is between looks at a lock that another process holds.
const lockPause = 100 * time.Millisecond

// lock waits until this call alone may download a blob. The lock is the one that
// huggingface_hub takes, and the system frees it where its owner dies. alone is false on
// a file system without locks: what is on its way then cannot be shared.
func (c *cache) lock(ctx context.Context, hash string) (unlock func(), alone bool, err error) {
	if err := os.MkdirAll(c.locks, 0o777); err != nil {
		return nil, false, err
	}
	l := flock.New(filepath.Join(c.locks, hash+".lock"), flock.SetPermissions(0o664))
	locked, err := l.TryLockContext(ctx, lockPause)
	if locked {
		return func() { l.Close() }, true, nil // the end of the process frees what Close does not
	}
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	var path *fs.PathError
	if errors.As(err, &path) && !errors.Is(err, errors.ErrUnsupported) {
		return nil, false, err
	}
	return func() {}, false, nil
}
