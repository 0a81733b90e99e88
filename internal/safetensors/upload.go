package safetensors

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/hostmem"
	"github.com/dualprocess/dualprocess-go/internal/parallel"
)

// large is how many bytes of a tensor are worth memory and goroutines of their own.
const large = 1 << 20

// uploads tells whether a tensor of that many bytes goes to the backend by upload: to XLA on the CPU, which computes in
// memory of the C library.
func uploads(backend compute.Backend, size int) bool {
	return size >= large && backend != nil && backend.Name() == "xla" && backend.HasSharedBuffers()
}

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
	// The tensor does not know that the buffer is shared. That only matters to who changes it in place or gives it away
	// to a program, and neither is done with weights.
	return tensors.FromBuffer(buffer)
}

// copyFresh copies to memory that was never touched, of the same length. No huge page is written by two goroutines: both
// would make it.
func copyFresh(to, from []byte) {
	const page = hostmem.PageSize
	skip := hostmem.InPage(to)
	parallel.Each((skip+len(to)+page-1)/page, func(i int) {
		begin, end := max(i*page-skip, 0), min((i+1)*page-skip, len(to))
		hostmem.Populate(to[begin:end])
		copy(to[begin:end], from[begin:end])
	})
}
