//go:build unix

package hostmem

import (
	"os"

	"golang.org/x/sys/unix"
)

// Drop gives back the pages that lie wholly in b, of a file that is mapped: their content comes again from the file.
func Drop(b []byte) { advise(b, os.Getpagesize(), unix.MADV_DONTNEED) }

// advise tells the system about the pages of a size that lie wholly in b. What it does not know it refuses, and nothing
// is lost but time or memory.
func advise(b []byte, page, advice int) {
	start := InPage(b) % page // pages are no larger than huge ones
	begin := (page - start) % page
	if end := (start+len(b))/page*page - start; begin < end {
		_ = unix.Madvise(b[begin:end], advice)
	}
}
