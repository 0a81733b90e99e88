package hostmem

import (
	"os"

	"golang.org/x/sys/unix"
)

// Huge asks for huge pages where b will be written for the first time: one page fault in place of five hundred. It is not
// for Go's memory, which Go's runtime advises about.
func Huge(b []byte) { advise(b, PageSize, unix.MADV_HUGEPAGE) }

// Populate has the system provide the pages of b at once, which is faster than one fault after the other.
func Populate(b []byte) { advise(b, os.Getpagesize(), unix.MADV_POPULATE_WRITE) }
