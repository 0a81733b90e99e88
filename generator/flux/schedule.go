package flux

import "github.com/dualprocess/dualprocess-go/internal/pipeline"

// newFlow is the grid of noise levels for pictures of so many tokens.
func newFlow(c pipeline.FlowMatchEuler, steps, tokens int) pipeline.Flow {
	mu := c.Mu(tokens)
	return pipeline.NewFlow(c.Sigmas(steps, mu), c.Sigmas(c.TrainTimesteps, mu), func(sigma float32) float32 {
		return modelTime(sigma * float32(c.TrainTimesteps))
	})
}

// modelTime is a timestep as it arrives in the transformer's sine waves: the
// pipeline divides by 1000 and the transformer multiplies, in float32. The waves
// are so fast that the rounding can be seen.
func modelTime(timestep float32) float32 {
	t := timestep / 1000
	return t * 1000
}
