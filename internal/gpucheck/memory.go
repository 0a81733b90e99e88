package main

import (
	"context"
	"time"

	"github.com/dualprocess/dualprocess-go/internal/peak"
)

// watch looks at the memory until it is asked for the peak: of the card, all programs together, or of this process where
// there is no card.
func watch(ctx context.Context) (most func() int64) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan int64)
	peak.Reset()
	go func() {
		largest := int64(0)
		for {
			largest = max(largest, peak.Card(ctx))
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
		return peak.Process()
	}
}
