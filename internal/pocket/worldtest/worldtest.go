// Package worldtest spoils pictures of the pocket world for tests, as what is
// measured or asked about differs from what was drawn.
package worldtest

import (
	"math/rand/v2"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Blurred averages over boxes of 3x3 pixels; the border repeats.
func Blurred(p *world.Picture) *world.Picture {
	out, last := world.NewPicture(p.Size), p.Size-1
	for k := range p.Size * p.Size {
		var sum world.RGB
		for i := range 9 {
			column, row := k%p.Size+i%3-1, k/p.Size+i/3-1
			sum = sum.Add(p.At(min(max(column, 0), last), min(max(row, 0), last)))
		}
		out.Set(k%p.Size, k/p.Size, sum.Scale(1./9))
	}
	return out
}

// Noisy adds Gaussian noise of a standard deviation to every channel, clamped to
// [0, 1].
func Noisy(rng *rand.Rand, p *world.Picture, deviation float64) *world.Picture {
	out := p.Clone()
	for i, v := range out.Pix {
		out.Pix[i] = float32(world.Clamp(float64(v) + deviation*rng.NormFloat64()))
	}
	return out
}
