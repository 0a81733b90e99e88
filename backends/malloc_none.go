//go:build cgo && !noxla && ((darwin && arm64) || (windows && amd64))

package backends

// keepMemory does nothing: what the C libraries of these systems do with freed memory was not measured.
func keepMemory() {}

func giveMemoryBack() {}
