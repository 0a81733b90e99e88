// Package measuring reads the attributes of the pocket world off any picture (row of
// the horizon, stroke width, depth order, ice, light, leaves, colours, composition)
// without asking a model.
package measuring

import (
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Measurements work on pictures of this side; others are resampled to it.
const measured = 64

// medianColour is the median of every channel.
func medianColour(colours []world.RGB) world.RGB {
	var m world.RGB
	channel := make([]float64, len(colours))
	for c := range m {
		for i, v := range colours {
			channel[i] = float64(v[c])
		}
		m[c] = float32(quantile(channel, .5))
	}
	return m
}

// quantile sorts values and returns the one at a share of them; 0 of none.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(share*float64(len(values))))]
}

// mean of values; 0 of none.
func mean(values []float64) float64 {
	sum := 0.
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// meanColour is the mean of every channel; black of none.
func meanColour(colours []world.RGB) world.RGB {
	var sum world.RGB
	for _, v := range colours {
		sum = sum.Add(v)
	}
	return sum.Scale(1 / float32(max(1, len(colours))))
}
