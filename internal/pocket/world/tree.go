package world

import "math/rand/v2"

// Benches and fences stand beside trees and houses alike.
var treeThings = []string{"", "bench", "bird", "fence"}

// Where the big tree stands, and its crown, before jitter.
const (
	TreeX, TreeBase = .46, .80
	CrownY          = .36 // row of the crown's middle
	CrownRX         = .25
	CrownRY         = .20
)

// Colours of the big tree.
var (
	Leaves = RGB{.18, .48, .18} // mean of a crown in leaf
	Bark   = RGB{.36, .25, .18}
)

func (s *Scene) newTree(rng *rand.Rand, w Spread) {
	s.Winter, s.Thing = rng.IntN(2) == 1, pick(rng, treeThings)
	s.Horizon = gaussian(rng, .68, .02, .62, .74)
	s.amount(rng, w, s.Winter)
}

// TreeSky is the colour of the sky behind a tree, in row y.
func TreeSky(winter bool, y float64) RGB {
	palette := lakeColours[winter]
	return Mix(palette[0], palette[1], min(1, y/.68))
}

func (s Scene) drawBigTree(c *canvas) {
	palette := lakeColours[s.Winter]
	c.rows(func(y float64) RGB { return TreeSky(s.Winter, y).Add(s.Tint[0]) })
	c.below(func(float64) float64 { return s.Horizon }, func(y float64) RGB {
		return Mix(palette[2], palette[3], (y-s.Horizon)/(1-s.Horizon)).Add(s.Tint[1])
	})
	x := TreeX + .05*s.X[1]
	if s.Thing == "fence" {
		drawFence(c, s.Horizon+.05, RGB{1, 1, 1})
	}
	if s.Gone != Subject {
		s.drawTreeAt(c, x, TreeBase+.02*s.Y[1])
	}
	switch s.Thing {
	case "bench":
		drawBench(c, .82+.03*s.X[0], .88, RGB{1, 1, 1}, s.Tint[2])
	case "bird":
		drawBird(c, .82+.04*s.X[0], .16+.04*s.Y[0], s.Size)
	}
}

// drawTreeAt draws the trunk and bare branches, and over them the leaves that have
// not fallen.
func (s Scene) drawTreeAt(c *canvas, x, base float64) {
	size := 1 + .6*(s.Size-1)
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	bark := Bark.Add(s.Tint[2])
	c.fill(polygon(at(-.045, 0), at(-.028, .30), at(.028, .30), at(.045, 0)), bark)
	c.fill(Strokes(.030*size, []Point{at(0, .28), at(-.11, .43), at(-.135, .52)}, []Point{at(0, .28), at(.11, .43), at(.135, .52)},
		[]Point{at(0, .30), at(.01, .62)}), bark)
	c.fill(Strokes(.017*size, []Point{at(-.07, .37), at(-.20, .44)}, []Point{at(.07, .37), at(.21, .44)},
		[]Point{at(0, .44), at(-.07, .60)}, []Point{at(.005, .42), at(.09, .59)}), bark)
	bare, leaves := c.p.Clone(), Leaves.Add(s.Tint[2])
	for _, b := range []struct {
		x, y, r float64
		tone    float32
	}{{-.13, .40, .125, .86}, {.13, .40, .125, .86}, {0, .50, .155, .94}, {-.06, .54, .075, 1.25}, {-.16, .42, .055, 1.2}, {.10, .46, .06, 1.12}} {
		c.fill(disc(x+b.x*size, base-b.y*size, b.r*size), leaves.Scale(b.tone))
	}
	// All leaves fade alike, those too that hide others.
	for i, v := range bare.Pix {
		c.p.Pix[i] += (v - c.p.Pix[i]) * float32(s.Amount)
	}
}

// drawBench draws a bench that stands on a row.
func drawBench(c *canvas, x, base float64, light, tint RGB) {
	wood := RGB{.62, .34, .16}.Times(light).Add(tint)
	c.fill(Rect(x-.11, base-.17, x+.11, base-.13), wood)
	c.fill(Rect(x-.12, base-.09, x+.12, base-.05), wood.Scale(1.15))
	for _, u := range []float64{-.10, .10} {
		c.fill(Rect(x+u-.012, base-.17, x+u+.012, base), wood.Scale(.8))
	}
}

// drawFence draws a fence across the picture.
func drawFence(c *canvas, base float64, light RGB) {
	wood := RGB{.78, .60, .40}.Times(light) // not white, which snow would hide
	c.fill(Rect(0, base-.085, 1, base-.060), wood)
	c.fill(Rect(0, base-.040, 1, base-.018), wood)
	for i := range 9 {
		x := .06 + .11*float64(i)
		c.fill(Rect(x-.013, base-.12, x+.013, base), wood)
	}
}

// drawBird draws a flying bird.
func drawBird(c *canvas, x, y, size float64) {
	at := func(u, v float64) Point { return Point{x + u*size, y + v*size} }
	c.fill(Strokes(.026*size, []Point{at(-.12, -.05), at(-.04, -.045), at(0, .01), at(.04, -.045), at(.12, -.05)}), RGB{.12, .12, .16})
}
