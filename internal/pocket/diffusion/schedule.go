package diffusion

import "github.com/dualprocess/dualprocess-go/internal/pipeline"

// Flow is the grid of the noise levels, of which the transformer is told.
func (c SchedulerConfig) Flow() pipeline.Flow {
	sigmas := make([]float32, c.NumSteps)
	for k := range sigmas {
		s := 1 - float64(k)/float64(c.NumSteps)
		sigmas[k] = float32(c.Shift * s / (1 + (c.Shift-1)*s))
	}
	return pipeline.NewFlow(sigmas, nil, func(sigma float32) float32 { return sigma })
}
