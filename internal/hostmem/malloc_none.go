//go:build !(cgo && !noxla && linux && (amd64 || arm64))

package hostmem

// Keep does nothing: either all memory is Go's, or what the C library of this system does with freed memory was not measured.
func Keep() {}

// Mapped calls allocate.
func Mapped(allocate func()) { allocate() }

// GiveBack does nothing.
func GiveBack() {}
