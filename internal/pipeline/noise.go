package pipeline

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Noise returns Gaussian noise, float32 [seeds, dims...]. That of a seed is the
// same whatever else is in the batch.
func Noise(seeds []int64, dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	noise := make([]float32, 0, len(seeds)*size)
	for _, seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 0))
		for range size {
			noise = append(noise, float32(rng.NormFloat64()))
		}
	}
	return tensors.FromFlatDataAndDimensions(noise, append([]int{len(seeds)}, dims...)...)
}
