package zimage

import "github.com/dualprocess/dualprocess-go/internal/pipeline"

// newFlow is the grid of noise levels of pictures of so many tokens. The transformer is
// told how much of the way to the picture has been gone, 1 - σ, in float32 as in the
// pipeline.
func newFlow(c pipeline.FlowMatchEuler, steps, tokens int, scale float64) pipeline.Flow {
	mu := c.Mu(tokens)
	return pipeline.NewFlow(c.Sigmas(steps, mu), c.Sigmas(c.TrainTimesteps, mu), func(sigma float32) float32 {
		return gone(sigma*float32(c.TrainTimesteps)) * float32(scale)
	})
}

// gone is how much of the way has been gone at a timestep.
func gone(timestep float32) float32 { return (1000 - timestep) / 1000 }

// guidance says how much of it there is at each noise level: none where more of the way
// has been gone than o.Truncation.
func guidance(o Options, sigmas []float32, trainTimesteps int) []float32 {
	scales := make([]float32, len(sigmas))
	for i, sigma := range sigmas {
		if float64(gone(sigma*float32(trainTimesteps))) <= *o.Truncation {
			scales[i] = float32(*o.Guidance)
		}
	}
	return scales
}
