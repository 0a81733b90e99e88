package hf

import (
	"bytes"
	"errors"
)

// ErrPointer says that Git left a note in place of a large file.
var ErrPointer = errors.New("is a Git LFS pointer, not the file itself: fetch it with `git lfs pull`, or download the file")

// CheckPointer returns ErrPointer for the beginning of a Git LFS pointer.
func CheckPointer(data []byte) error {
	if bytes.HasPrefix(data, []byte("version https://git-lfs")) {
		return ErrPointer
	}
	return nil
}
