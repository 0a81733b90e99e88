package pipeline

import (
	"fmt"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
)

// Latents returns Noise, unless the model is closed.
func Latents(m *backends.Model, seeds []int64, dims ...int) (*tensors.Tensor, error) {
	done, err := m.Use()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name(), err)
	}
	defer done()
	return Noise(seeds, dims...), nil
}

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
