package hostmem

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Huge asks for huge pages where b will be written for the first time: one page fault in place of five hundred.
func Huge(b []byte) { advise(b, PageSize, unix.MADV_HUGEPAGE) }

// Populate has the system provide the pages of b at once, which is faster than one fault after the other.
func Populate(b []byte) { advise(b, os.Getpagesize(), unix.MADV_POPULATE_WRITE) }

// advise tells the system about the pages of a size that lie wholly in b. What it does not know it refuses, and nothing
// is lost but time.
func advise(b []byte, page, advice int) {
	start := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % uintptr(page))
	begin := (page - start) % page
	if end := (start+len(b))/page*page - start; begin < end {
		_ = unix.Madvise(b[begin:end], advice)
	}
}
