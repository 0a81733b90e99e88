package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// What a big house is read by.
const (
	houseReach    = 4.5 // px: how far it may be from its place, sideways
	houseLift     = 4.  // px: and up or down, its size included
	houseStep     = .5  // px
	houseBand     = .05 // width of the bands whose colours are compared
	paneCore      = .55 // share of a pane's extent within which it is read
	houseContrast = .10 // least distance of wall, roof and what is behind them
)

// windowsAmount tells how lit a house's windows are, once the house is found.
func windowsAmount(p *world.Picture) float64 {
	x, base := houseAt(p)
	dark, y := world.DarkPane(isNight(p)), base-world.PaneY
	var shares []float64
	for _, u := range []float64{-world.PaneX, world.PaneX} {
		p.Inside(around(x+u, y, paneCore*world.PaneRX, paneCore*world.PaneRY), func(v world.RGB, _, _ float64) {
			shares = append(shares, v.Along(dark, world.LitPane))
		})
	}
	return quantile(shares, .5)
}

// houseAt finds a house: its middle by the sides of its wall and its door, and its
// base by the edge between roof and wall. Its panes would be found less surely, as they
// have the wall's colour when they are half lit.
func houseAt(p *world.Picture) (x, base float64) {
	x = bestPlace(world.HouseX, houseReach, func(x float64) float64 {
		band := func(from, to float64) world.RGB {
			return meanInside(p, world.Rect(x+from, world.HouseBase-.20, x+to, world.HouseBase-.06))
		}
		side := func(u float64) float64 { return band(u-houseBand, u).Sub(band(u, u+houseBand)).Norm() }
		wall := world.Mix(band(-.11, -.06), band(.06, .11), .5)
		return side(-world.WallRX) + side(world.WallRX) + 2*band(-.03, .03).Sub(wall).Norm()
	})
	base = bestPlace(world.HouseBase, houseLift, func(y float64) float64 {
		eave := y - world.EaveY
		roof := meanInside(p, world.Rect(x-.2, eave-houseBand, x+.2, eave))
		return roof.Sub(meanInside(p, world.Rect(x-.2, eave, x+.2, eave+houseBand))).Norm()
	})
	return x, base
}

// bestPlace returns the place with the highest score within a reach in pixels.
func bestPlace(middle, reach float64, score func(at float64) float64) float64 {
	best, most := middle, math.Inf(-1)
	for d := -reach; d <= reach; d += houseStep {
		if s := score(middle + d/measured); s > most {
			best, most = middle+d/measured, s
		}
	}
	return best
}

// houseThere tells whether a wall under a roof of another colour stand out.
func houseThere(p *world.Picture) bool {
	x, base := houseAt(p)
	left, right := around(x-.16, base-.10, .05, .06), around(x+.16, base-.10, .05, .06)
	roof := around(x, base-.46, .10, .06)
	wall := world.Mix(median(p, left), median(p, right), .5)
	for _, part := range []world.Shape{left, right, roof} {
		if quantile(standingOut(p, part), .5) < houseContrast {
			return false
		}
	}
	return median(p, roof).Sub(wall).Norm() > houseContrast
}

// around is a rectangle by its middle and half its extent.
func around(x, y, rx, ry float64) world.Shape { return world.Rect(x-rx, y-ry, x+rx, y+ry) }

// meanInside is the mean colour inside a shape.
func meanInside(p *world.Picture, s world.Shape) world.RGB {
	var colours []world.RGB
	p.Inside(s, func(v world.RGB, _, _ float64) { colours = append(colours, v) })
	return meanColour(colours)
}
