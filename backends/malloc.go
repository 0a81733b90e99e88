//go:build cgo && !noxla && linux && (amd64 || arm64)

package backends

/*
#include <malloc.h>

static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

static void give_memory_back(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
*/
import "C"

// keepMemory makes the C library keep what XLA frees. XLA's CPU backend allocates the scratch space of a program in
// every run, hundreds of megabytes; by default each goes back to the kernel, which clears every page of it again. On
// two cores that took a fifth of an update's time.
func keepMemory() { C.keep_memory() }

// giveMemoryBack returns to the system what keepMemory has kept.
func giveMemoryBack() { C.give_memory_back() }
