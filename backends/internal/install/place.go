package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// maxFile bounds one unpacked file, in bytes: the largest PJRT plugin has a third of it.
const maxFile = 1 << 30

// Place installs the file of s whose base name matches want as folder/name, unless that exists, and returns its path.
// Several processes may do so at once: one fetches and the others wait for it. The file appears under its name only
// when it is complete and on the disk: loading half a library kills a process.
func (c *Client) Place(ctx context.Context, s Source, want *regexp.Regexp, folder, name string) (string, error) {
	unlock, err := Lock(ctx, folder)
	if err != nil {
		return "", err
	}
	defer unlock()
	return c.PlaceLocked(ctx, s, want, folder, name)
}

// PlaceLocked does what Place does, for a caller that holds folder's lock or a folder of its own.
func (c *Client) PlaceLocked(ctx context.Context, s Source, want *regexp.Regexp, folder, name string) (string, error) {
	final := filepath.Join(folder, name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	archive, err := c.Fetch(ctx, s, folder)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(archive) }() // swept by the next Lock at the latest
	temp, err := os.CreateTemp(folder, tempPattern)
	if err != nil {
		return "", fmt.Errorf("install: %s: %w", s.Name, err)
	}
	defer func() { _ = os.Remove(temp.Name()) }() // gone already when all went well
	err = Pick(ctx, archive, want, temp, maxFile)
	if err == nil {
		err = settle(temp, 0o755)
	}
	if closeErr := temp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp.Name(), final)
	}
	if err != nil {
		return "", fmt.Errorf("install: %s: %w", s.Name, err)
	}
	syncFolder(folder)
	return final, nil
}

// settle gives f its mode and brings it to the disk.
func settle(f *os.File, mode fs.FileMode) error {
	if err := f.Chmod(mode); err != nil {
		return err
	}
	return f.Sync()
}

// syncFolder brings a rename to the disk where the system can; where it cannot, a crash costs one more download.
func syncFolder(folder string) {
	if f, err := os.Open(folder); err == nil {
		_ = f.Sync()  // see above
		_ = f.Close() // only read
	}
}

// Writable makes folder if need be and reports as an error why nothing can be written to it.
func Writable(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	f, err := os.CreateTemp(folder, tempPattern)
	if err != nil {
		return fmt.Errorf("install: %w", err)
	}
	_ = f.Close() // empty
	// Where it is gone already, the sweep of another's Lock took it.
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

// TempFolder makes an unfinished folder in folder: to be renamed when it is complete, and swept away if it never is.
func TempFolder(folder string) (string, error) {
	temp, err := os.MkdirTemp(folder, tempPattern)
	if err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	return temp, os.Chmod(temp, 0o755) // MkdirTemp's folders are their maker's alone
}

// sweep removes what processes that were killed left in folder. Only the lock's holder may call it.
func sweep(folder string) {
	stale, _ := filepath.Glob(filepath.Join(folder, tempPattern)) // the pattern is well formed
	for _, path := range stale {
		_ = os.RemoveAll(path) // what resists costs space, no more
	}
}
