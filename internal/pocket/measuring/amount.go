package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Where amounts are read.
const (
	lakeCore   = .70 // share of the lake's radii within which water is read
	nightBelow = .45 // mean brightness of a wall's corners at night
)

// The part of a lamp's picture that is inside the shade wherever the lamp stands.
const coreLeft, coreRight, coreTop, coreBottom = .45, .55, .36, .44

// Amount returns how much of a lake is ice, how lit a lamp or a house's windows are,
// or how many of a tree's leaves have fallen, by where its colour lies between those
// of both ends: about 0 to 1, and beyond for colours beyond them. It is NaN for the
// other families.
func Amount(p *world.Picture, f world.Family) float64 {
	p = p.Resized(measured)
	switch f {
	case world.Lake:
		return iceAmount(p)
	case world.Lamp:
		return lightAmount(p)
	case world.Tree:
		return leavesAmount(p)
	case world.House:
		return windowsAmount(p)
	}
	return math.NaN()
}

// iceAmount is the median over the lake's core, which cracks and boats do not sway.
func iceAmount(p *world.Picture) float64 {
	var shares []float64
	core := world.Ellipse(world.LakeX, world.LakeY, lakeCore*world.LakeRX, lakeCore*world.LakeRY)
	p.Inside(core, func(v world.RGB, _, y float64) {
		t := world.Clamp((y - world.LakeY + world.LakeRY) / (2 * world.LakeRY))
		shares = append(shares, v.Along(world.Mix(world.Water[0], world.Water[1], t), world.Mix(world.Ice[0], world.Ice[1], t)))
	})
	return quantile(shares, .5)
}

func lightAmount(p *world.Picture) float64 {
	shade := world.ShadeColour
	if isNight(p) {
		shade = shade.Times(world.NightDim)
	}
	var shares []float64
	p.Inside(world.Rect(coreLeft, coreTop, coreRight, coreBottom), func(v world.RGB, _, _ float64) {
		shares = append(shares, v.Along(shade, world.LitColour))
	})
	return quantile(shares, .5)
}

// isNight tells from the upper corners, where lamplight hardly reaches.
func isNight(p *world.Picture) bool {
	var corners []float64
	for _, x := range []float64{0, .88} {
		p.Inside(world.Rect(x, 0, x+.12, .1), func(v world.RGB, _, _ float64) {
			corners = append(corners, v.Dot(world.RGB{1. / 3, 1. / 3, 1. / 3}))
		})
	}
	return quantile(corners, .5) < nightBelow
}

// median is the median colour inside a shape.
func median(p *world.Picture, s world.Shape) world.RGB {
	var colours []world.RGB
	p.Inside(s, func(v world.RGB, _, _ float64) { colours = append(colours, v) })
	return medianColour(colours)
}
