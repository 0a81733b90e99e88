// Package files writes files that are whole or absent, and names them.
package files

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Write writes a file that either is complete or does not appear: it is made under a
// temporary name in the same folder (Temporary), brought to the disk and then
// renamed, replacing a file of that name.
func Write(path string, write func(w io.Writer) error) (err error) {
	dir, base := filepath.Split(path)
	temp := filepath.Join(dir, fmt.Sprintf(".%s.%016x.tmp", base, rand.Uint64()))
	// Not os.CreateTemp: its files can be read by their owner alone.
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(temp)
		}
	}()
	if err := write(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// Slug makes the name of a file of a name in words: of "Line at 0.3", line-at-0.3.
func Slug(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
}

// Temporary matches, as filepath.Glob does, what a process that was killed has left
// of files whose names begin with a prefix.
func Temporary(prefix string) string { return "." + prefix + "*.tmp" }

// syncFolder brings a rename to the disk.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot open a folder for this, and needs it less
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
