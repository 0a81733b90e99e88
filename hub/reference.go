package hub

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/dualprocess/dualprocess-go/internal/quote"
)

// Reference names a repository, or a file of one: owner/name, owner/name@revision,
// owner/name/folder/file or owner/name@revision/folder/file.
type Reference struct {
	Repository string // owner/name
	Revision   string // a branch, a tag or a commit; "" = none is named
	File       string // with slashes; "" = none is named
}

// String writes a reference as Parse reads it.
func (r Reference) String() string {
	text := r.Repository
	switch {
	case r.Revision == "":
	case specialRevision.FindString(r.Revision) == r.Revision:
		text += "@" + r.Revision
	default:
		text += "@" + url.PathEscape(r.Revision)
	}
	if r.File != "" {
		text += "/" + r.File
	}
	return text
}

var (
	// repositoryName is owner/name.
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?/[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
	// specialRevision is one with slashes that need no escape before a file's name.
	specialRevision = regexp.MustCompile(`^refs/(?:convert/[A-Za-z0-9_.-]+|pr/[0-9]+)`)
	// commitName is the name of a commit.
	commitName = regexp.MustCompile(`^[0-9a-f]{40}$`)
	// blobName is a hash: git's of a blob, or sha256.
	blobName = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
)

// Bounds of names, in bytes.
const (
	maxRepository = 96 * 2
	maxPath       = 1024
)

// Parse reads a reference. Slashes of a revision are written %2F, but for those of
// refs/pr/1 and refs/convert/name. Errors wrap ErrReference.
func Parse(ref string) (Reference, error) {
	owner, rest, ok := strings.Cut(ref, "/")
	end := strings.IndexAny(rest, "@/")
	if end < 0 {
		end = len(rest)
	}
	r := Reference{Repository: owner + "/" + rest[:end]}
	if !ok || !validRepository(r.Repository) {
		return Reference{}, fmt.Errorf("%w: %s, want owner/name, owner/name@revision or owner/name@revision/file", ErrReference, quote.Short(ref))
	}
	rest = rest[end:]
	if after, ok := strings.CutPrefix(rest, "@"); ok {
		revision := specialRevision.FindString(after)
		if revision == "" || len(after) > len(revision) && after[len(revision)] != '/' {
			revision, _, _ = strings.Cut(after, "/")
		}
		rest = after[len(revision):]
		var err error
		if r.Revision, err = url.PathUnescape(revision); err != nil || !validPath(r.Revision) {
			return Reference{}, fmt.Errorf("%w: %s is no revision", ErrReference, quote.Short(revision))
		}
	}
	if file, ok := strings.CutPrefix(rest, "/"); ok {
		if r.File = file; !validPath(file) {
			return Reference{}, fmt.Errorf("%w: %s is no file of a repository", ErrReference, quote.Short(file))
		}
	}
	return r, nil
}

func validRepository(name string) bool {
	return len(name) <= maxRepository && repositoryName.MatchString(name) &&
		!strings.Contains(name, "--") && !strings.Contains(name, "..") && !strings.HasSuffix(name, ".git")
}

// validPath says whether a name of a registry's can be the path of a file below a folder
// on any system: it is relative, goes nowhere else, and has nothing in it that a system
// or a terminal takes for something special.
func validPath(name string) bool {
	if len(name) > maxPath || name == "." || !fs.ValidPath(name) || !utf8.ValidString(name) || strings.ContainsAny(name, `\:`) {
		return false
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return filepath.IsLocal(filepath.FromSlash(name))
}

// Local says whether what a user calls a model names something on this machine: it is
// there, or it is no reference of a repository.
func Local(ref string) bool {
	if _, err := os.Stat(ref); err == nil {
		return true
	}
	r, err := Parse(ref)
	return err != nil || r.File != ""
}

// localFile is Local for what a user calls an adapter.
func localFile(ref string) bool {
	if _, err := os.Stat(ref); err == nil {
		return true
	}
	r, err := Parse(ref)
	return err != nil || r.File == "" && strings.HasSuffix(ref, ".safetensors")
}
