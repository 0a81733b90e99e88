package safetensors

import (
	"runtime"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/hostmem"
)

// large is how many bytes of a tensor are worth goroutines of their own.
const large = 1 << 20

// upload makes a tensor of a copy of data in memory that the backend computes in. Most of the time goes into the first
// touch of that memory, page by page, so the pages are as large as the system has them, and taken in parallel.
func upload(backend compute.Backend, shape shapes.Shape, data []byte) (*tensors.Tensor, error) {
	var buffer compute.Buffer
	var flat any
	var err error
	hostmem.Mapped(func() { buffer, flat, err = backend.NewSharedBuffer(0, shape) })
	if err != nil {
		return nil, err
	}
	to := dtypes.UnsafeByteSliceFromAny(flat)
	hostmem.Huge(to)
	copyFresh(to, data)
	return tensors.FromBuffer(buffer)
}

// copyFresh copies to memory that was never touched, of the same length, by as many goroutines as may run.
func copyFresh(to, from []byte) {
	var wg sync.WaitGroup
	parts := make(chan [2]int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for part := range parts {
				here := to[part[0]:part[1]]
				hostmem.Populate(here)
				copy(here, from[part[0]:])
			}
		})
	}
	for begin := 0; begin < len(to); {
		end := min(begin+hostmem.ToPage(to[begin:]), len(to))
		parts <- [2]int{begin, end}
		begin = end
	}
	close(parts)
	wg.Wait()
}
