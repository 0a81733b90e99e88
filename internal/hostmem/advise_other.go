//go:build !unix

package hostmem

// Drop does nothing: on these systems no file is mapped.
func Drop([]byte) {}
