//go:build linux || darwin

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock makes folder if need be and waits until this process alone may install into it, or ctx ends. The system frees
// the lock of a process that dies. What killed processes left behind is removed. On a file system without locks all
// go ahead at once, which costs downloads but no correctness: complete files are renamed into place.
func Lock(ctx context.Context, folder string) (unlock func(), err error) {
	if err := Writable(folder); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(folder, ".dualprocess.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("install: lock: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			sweep(folder)
			return func() { _ = f.Close() }, nil // closing unlocks; nothing was written
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return func() { _ = f.Close() }, nil // nothing was written
		}
		select {
		case <-ctx.Done():
			_ = f.Close() // not locked
			return nil, fmt.Errorf("install: lock: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
