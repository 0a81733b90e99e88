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
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kibibytes, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kibibytes << 10
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
