// Package peak reads how much memory was used: by this process, and of the machine's card.
package peak

import (
	"bytes"
	"context"
	"os"
	"strconv"

	"github.com/dualprocess/dualprocess-go/internal/smi"
)

// Process is the most bytes that this process has had in memory; 0 where the system does not tell.
func Process() int64 {
	text, _ := os.ReadFile("/proc/self/status") // where there is none, nothing is in it
	return status(text, "VmHWM:")
}

// Resident is what this process has in memory now, in bytes: of its own, and of files, whose pages all processes share;
// 0 where the system does not tell.
func Resident() (own, files int64) {
	text, _ := os.ReadFile("/proc/self/status")
	return status(text, "RssAnon:"), status(text, "RssFile:")
}

// Fetched is how many bytes this process has had fetched from disks, which leaves out what was in the page cache; 0 where
// the system does not tell.
func Fetched() int64 {
	text, _ := os.ReadFile("/proc/self/io")
	return number(text, "\nread_bytes:")
}

// status is a field of the process's status in bytes; 0 where it is not there.
func status(text []byte, field string) int64 { return number(text, field) << 10 }

// number is the first one behind a field's name; 0 where it is not there.
func number(text []byte, field string) int64 {
	_, rest, _ := bytes.Cut(text, []byte(field))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return n
}

// Reset starts Process anew from what the process has now, where the system can.
func Reset() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // without it the peak is of a longer time
}

// Card is the bytes in use on the first NVIDIA card, by all programs; 0 where there is none. XLA gives nothing back, so at
// the end of a program this is its peak.
func Card(ctx context.Context) int64 {
	mebibytes, _ := strconv.ParseInt(smi.Ask(ctx, "0", "memory.used"), 10, 64)
	return mebibytes << 20
}
