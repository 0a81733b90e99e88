//go:build !linux

package hostmem

// Huge does nothing: only Linux is asked for huge pages.
func Huge([]byte) {}

// Populate does nothing.
func Populate([]byte) {}
