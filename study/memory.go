package study

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"time"
)

// memoryWatch looks at the memory of the process now and then.
type memoryWatch struct {
	before, peak float64
	stopped      chan struct{}
	done         chan struct{}
}

// memoryInterval is the time between looks.
const memoryInterval = 10 * time.Millisecond

// watchMemory begins to look.
func watchMemory() *memoryWatch {
	w := &memoryWatch{before: resident(), stopped: make(chan struct{}), done: make(chan struct{})}
	w.peak = w.before
	go func() {
		defer close(w.done)
		for ticker := time.NewTicker(memoryInterval); ; {
			w.peak = math.Max(w.peak, resident())
			select {
			case <-ticker.C:
			case <-w.stopped:
				ticker.Stop()
				return
			}
		}
	}()
	return w
}

// stop returns the bytes by which the memory had grown at its peak; NaN is not known.
func (w *memoryWatch) stop() Number {
	close(w.stopped)
	<-w.done
	return Number(w.peak - w.before)
}

// resident is the memory that the process has on the host, in bytes; NaN where the
// system does not say so as Linux does.
func resident() float64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return math.NaN()
	}
	var size, pages float64
	if _, err := fmt.Fscan(bytes.NewReader(data), &size, &pages); err != nil {
		return math.NaN()
	}
	return pages * float64(os.Getpagesize())
}
