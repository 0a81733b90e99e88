// Package parallel spreads work that needs nothing but processors over them.
package parallel

import (
	"runtime"
	"sync"
)

// Each calls do for 0 to n-1, each once and in no order, by as many goroutines as may run, and returns when all have.
func Each(n int, do func(i int)) {
	var group sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		group.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	group.Wait()
}
