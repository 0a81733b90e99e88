//go:build cgo && !noxla && linux && (amd64 || arm64)

package hostmem

/*
#include <malloc.h>

#ifdef __GLIBC__
static int kept; // the C library does not tell its settings

static void keep(void) {
	kept = 1;
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
}

static void map_large(int yes) {
	if (kept)
		mallopt(M_MMAP_MAX, yes ? 65536 : 0); // the number that it has by default
}

static void give_back(void) { malloc_trim(0); }
#else
static void keep(void) {}
static void map_large(int yes) {}
static void give_back(void) {}
#endif
*/
import "C"

// Keep makes the C library keep what XLA frees. XLA's CPU backend allocates the scratch space of a program in every run,
// hundreds of megabytes; by default each goes back to the kernel, which clears every page of it again. On two cores that
// took a fifth of an update's time.
func Keep() { C.keep() }

// Mapped calls allocate, whose large pieces of C memory come from the system and go back to it when they are freed, in
// spite of Keep: what stays for long, as weights do, has no page in common with scratch space then, is not cleared
// again, and can be in huge pages.
func Mapped(allocate func()) {
	C.map_large(1)
	defer C.map_large(0)
	allocate()
}

// GiveBack returns to the system what Keep has kept.
func GiveBack() { C.give_back() }
