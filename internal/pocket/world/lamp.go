package world

import "math/rand/v2"

var lampThings = []string{"", "window", "chair", "cat", "plant"}

// Colours of a lamp's room by day and at night: wall above and below, table.
var lampColours = map[bool][3]RGB{
	false: {{.90, .87, .79}, {.84, .80, .71}, {.58, .38, .24}},
	true:  {{.10, .10, .21}, {.14, .13, .25}, {.13, .09, .10}},
}

// Where the lamp stands.
const (
	lampTable            = .80
	lampBottom, lampTop  = .46, .24 // rows of the shade
	lampLower, lampUpper = .17, .10 // half widths of the shade
	lampGlow             = .30      // radius of the light on the wall
)

// Colours of the lamp.
var (
	ShadeColour = RGB{.45, .40, .62} // unlit: far from the warm light in hue and brightness
	LitColour   = RGB{1, .93, .62}
	lightColour = RGB{1, .84, .48}
	NightDim    = RGB{.44, .44, .58} // what is left of things' colours in an unlit room at night
)

func (s *Scene) newLamp(rng *rand.Rand, w Spread) {
	s.Night, s.Thing = rng.IntN(2) == 1, pick(rng, lampThings)
	s.amount(rng, w, s.Night)
}

func (s Scene) drawLamp(c *canvas) {
	palette, dim := lampColours[s.Night], RGB{1, 1, 1}
	if s.Night {
		dim = NightDim
	}
	c.rows(func(y float64) RGB { return Mix(palette[0], palette[1], y/lampTable).Add(s.Tint[0]) })
	x := .5 + .10*s.X[1]
	side := 1.
	if s.X[0] < 0 {
		side = -1
	}
	if s.Thing == "window" {
		s.drawWindow(c, x+side*.33)
	}
	c.below(func(float64) float64 { return lampTable }, func(y float64) RGB {
		return palette[2].Scale(float32(1 - .8*(y-lampTable))).Add(s.Tint[1])
	})
	lit := s.Amount
	if s.Gone == Subject {
		lit = 0
	}
	// By day the same light shows less.
	strength := lit * choose64(s.Night, .62, .34)
	c.glow(x, .42, lampGlow, strength, lightColour)
	if s.Gone != Subject {
		s.drawLampAt(c, x, dim)
	}
	dim = Mix(dim, RGB{1, .95, .80}, .55*lit)
	switch s.Thing {
	case "chair":
		drawChair(c, x+side*.32, dim, s.Tint[2])
	case "cat":
		drawCat(c, x+side*.29, lampTable+.02, s.Size, dim, s.Tint[2])
	case "plant":
		drawPlant(c, x+side*.31, lampTable+.02, s.Size, dim, s.Tint[2])
	}
}

// drawLampAt draws the lamp: cone of light, stem, foot and shade.
func (s Scene) drawLampAt(c *canvas, x float64, dim RGB) {
	cone := polygon(Point{x - lampLower, lampBottom}, Point{x + lampLower, lampBottom},
		Point{x + 1.75*lampLower, lampTable}, Point{x - 1.75*lampLower, lampTable})
	c.paint(cone, s.Amount*choose64(s.Night, .50, .38), func(_, py float64) RGB {
		return Mix(LitColour, lightColour, (py-lampBottom)/(lampTable-lampBottom))
	})
	c.paint(Ellipse(x, lampTable+.015, 1.75*lampLower, .045), .55*s.Amount, func(_, _ float64) RGB { return lightColour })
	metal := Mix(RGB{.30, .26, .28}.Times(dim), RGB{.42, .32, .22}, .5*s.Amount)
	c.fill(Rect(x-.013, lampBottom-.02, x+.013, lampTable), metal)
	c.fill(Ellipse(x, lampTable+.002, .085, .026), metal)
	shade := Mix(ShadeColour.Times(dim).Add(s.Tint[2]), LitColour, s.Amount)
	c.fill(polygon(Point{x - lampUpper, lampTop}, Point{x + lampUpper, lampTop},
		Point{x + lampLower, lampBottom}, Point{x - lampLower, lampBottom}), shade)
}

// drawWindow draws a window on the wall with the sky in it.
func (s Scene) drawWindow(c *canvas, x float64) {
	frame, pane := RGB{.98, .97, .94}, RGB{.52, .78, .97}
	if s.Night {
		frame, pane = RGB{.36, .32, .36}, RGB{.05, .06, .22}
	}
	c.fill(Rect(x-.125, .12, x+.125, .42), frame)
	c.fill(Rect(x-.10, .145, x+.10, .395), pane)
	if s.Night {
		c.fill(disc(x+.045, .20, .026), RGB{.95, .93, .80})
	}
	c.fill(Rect(x-.011, .13, x+.011, .41), frame)
	c.fill(Rect(x-.11, .26, x+.11, .282), frame)
}

// drawChair draws a chair on the floor before the table's edge.
func drawChair(c *canvas, x float64, dim, tint RGB) {
	wood := RGB{.68, .22, .18}.Times(dim).Add(tint)
	c.fill(Rect(x-.11, .58, x-.075, .97), wood)
	c.fill(Rect(x+.075, .58, x+.11, .97), wood)
	c.fill(Rect(x-.11, .58, x+.11, .63), wood)
	c.fill(Rect(x-.11, .67, x+.11, .71), wood)
	c.fill(Rect(x-.13, .79, x+.13, .845), wood.Scale(1.15))
}

// drawCat draws a sitting cat seen from behind: body, head, ears, tail.
func drawCat(c *canvas, x, base, size float64, dim, tint RGB) {
	fur := RGB{.90, .52, .20}.Times(dim).Add(tint)
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	c.fill(Strokes(.028*size, []Point{at(.07, .02), at(.135, .035), at(.15, .09), at(.125, .13)}), fur)
	c.fill(Ellipse(x, base-.085*size, .082*size, .09*size), fur)
	c.fill(disc(x-.005*size, base-.20*size, .062*size), fur)
	for _, u := range []float64{-.038, .030} {
		c.fill(polygon(at(u-.030, .235), at(u-.012+u*.4, .30), at(u+.030, .24)), fur)
	}
	for _, u := range []float64{-.028, .018} {
		c.fill(disc(x+u*size, base-.205*size, .012*size), RGB{.12, .16, .10})
	}
}

// drawPlant draws leaves in a pot.
func drawPlant(c *canvas, x, base, size float64, dim, tint RGB) {
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	leaf := RGB{.20, .56, .26}.Times(dim).Add(tint)
	for _, tip := range []Point{at(-.12, .20), at(-.06, .28), at(.01, .31), at(.07, .27), at(.12, .19)} {
		c.fill(Strokes(.040*size, []Point{at(0, .10), tip}), leaf)
	}
	pot := RGB{.80, .40, .25}.Times(dim)
	c.fill(polygon(at(-.08, .11), at(.08, .11), at(.055, 0), at(-.055, 0)), pot)
}

func choose64(cond bool, yes, no float64) float64 {
	if cond {
		return yes
	}
	return no
}
