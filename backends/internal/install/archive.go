package install

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Pick copies to w the first regular file of a .zip (so also a .whl) or .tar.gz archive whose base name matches want.
// No name in the archive ever becomes a path. More than limit bytes wrap ErrTooLarge, no match wraps ErrNotFound.
func Pick(ctx context.Context, archive string, want *regexp.Regexp, w io.Writer, limit int64) error {
	f, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("install: unpack: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	// The address that an archive came from may end in anything: the first bytes say what it is.
	head := make([]byte, 4)
	if _, err = f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("install: unpack: %w", err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK")):
		err = pickZip(ctx, f, want, w, limit)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		err = pickTar(ctx, f, want, w, limit)
	default:
		err = errors.New("neither a .zip nor a .tar.gz")
	}
	if err != nil {
		return fmt.Errorf("install: unpack: %w", err)
	}
	return nil
}

func pickZip(ctx context.Context, f *os.File, want *regexp.Regexp, w io.Writer, limit int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	for _, entry := range archive.File {
		if !entry.Mode().IsRegular() || !want.MatchString(path.Base(entry.Name)) {
			continue
		}
		return copyEntry(ctx, entry, w, limit)
	}
	return fmt.Errorf("no file like %s: %w", want, ErrNotFound)
}

// copyEntry copies a zip entry of at most limit bytes; archive/zip checks its length and CRC.
func copyEntry(ctx context.Context, entry *zip.File, w io.Writer, limit int64) error {
	if entry.UncompressedSize64 > uint64(limit) {
		return fmt.Errorf("%q has %d bytes: %w", entry.Name, entry.UncompressedSize64, ErrTooLarge)
	}
	r, err := entry.Open()
	if err != nil {
		return fmt.Errorf("%q: %w", entry.Name, err)
	}
	defer func() { _ = r.Close() }() // only read
	return copyBounded(ctx, w, r, entry.Name, limit)
}

func pickTar(ctx context.Context, f *os.File, want *regexp.Regexp, w io.Writer, limit int64) error {
	unzipped, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return err
	}
	// All files around the wanted one are read through: bound them too, or a small bomb runs for ever.
	bounded := &io.LimitedReader{R: contextReader{ctx, unzipped}, N: 2*limit + 1<<20}
	archive := tar.NewReader(bounded)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("no file like %s: %w", want, ErrNotFound)
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg || !want.MatchString(path.Base(header.Name)) {
			continue
		}
		if err := copyBounded(ctx, w, archive, header.Name, limit); err != nil {
			return err
		}
		// gzip's checksum stands at the end, and may be all that vouches for the file.
		if _, err := io.Copy(io.Discard, bounded); err != nil {
			return err
		}
		if bounded.N <= 0 {
			return fmt.Errorf("what follows %q: %w", header.Name, ErrTooLarge)
		}
		return nil
	}
}

func copyBounded(ctx context.Context, w io.Writer, r io.Reader, name string, limit int64) error {
	n, err := io.Copy(w, io.LimitReader(contextReader{ctx, r}, limit+1))
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if n > limit {
		return fmt.Errorf("%q has more than %d bytes: %w", name, limit, ErrTooLarge)
	}
	return nil
}

// Unpack writes the files of a .zip below the folder prefix (a slash path) into root, without that prefix. Together
// they may have limit bytes at most. A name that would leave root is an error; links are not made.
func Unpack(ctx context.Context, archive, prefix string, root *os.Root, limit int64) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("install: unpack: %w", err)
	}
	defer func() { _ = r.Close() }() // only read
	for _, entry := range r.File {
		name, below := strings.CutPrefix(path.Clean(entry.Name), prefix+"/")
		if !below || !entry.Mode().IsRegular() {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("install: unpack: %q leaves its folder", entry.Name)
		}
		if err := unpackEntry(ctx, entry, filepath.FromSlash(name), root, limit); err != nil {
			return fmt.Errorf("install: unpack: %w", err)
		}
		limit -= int64(entry.UncompressedSize64) // what copyEntry has let pass
	}
	return nil
}

func unpackEntry(ctx context.Context, entry *zip.File, name string, root *os.Root, limit int64) (err error) {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	// Wheels often lose the executable bit of their tools.
	if entry.Mode()&0o111 != 0 || filepath.Base(filepath.Dir(name)) == "bin" {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	return copyEntry(ctx, entry, f, limit)
}

// contextReader stops a long copy when its context ends.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
