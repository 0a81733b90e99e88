package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// query asks the driver's own tool; "" where there is none.
func query(ctx context.Context, what string) string {
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu="+what, "--format=csv,noheader,nounits", "--id=0").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// device names the card.
func device(ctx context.Context) string { return query(ctx, "name,memory.total,driver_version") }

// watch looks at the memory until it is asked for the peak: of the card, all programs together, or of this process where
// there is no card.
func watch(ctx context.Context) (peak func() int64) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan int64)
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // starts the process's peak anew, where that can be
	go func() {
		largest := int64(0)
		for {
			if mebibytes, err := strconv.ParseInt(query(ctx, "memory.used"), 10, 64); err == nil {
				largest = max(largest, mebibytes<<20)
			}
			select {
			case <-ctx.Done():
				done <- largest
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		cancel()
		if largest := <-done; largest > 0 {
			return largest
		}
		return processPeak()
	}
}

// processPeak is the most memory that this process had, 0 where the system does not tell.
func processPeak() int64 {
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
