// Package hostmem tells the C library and the system how to hold the memory that
// XLA computes in on the CPU, and mapped files. Everything here is advice: where
// there is no such C library, or no such system, nothing happens.
package hostmem

import "unsafe"

// PageSize is the size of most processors' huge pages, in bytes.
const PageSize = 2 << 20

// InPage is where b starts within a huge page, in bytes.
func InPage(b []byte) int { return int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % PageSize) }
