// Package hostmem tells the C library and the system how to hold the memory that
// XLA computes in on the CPU. Everything here is advice: where there is no such C
// library, or no such system, nothing happens.
package hostmem

import "unsafe"

// PageSize is the size of most processors' huge pages, in bytes.
const PageSize = 2 << 20

// ToPage is the number of bytes from the start of b to that of the next huge page, at least 1.
func ToPage(b []byte) int {
	return PageSize - int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%PageSize)
}
