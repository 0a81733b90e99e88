package world

import (
	"math"
	"math/rand/v2"
)

// Box is an upright rectangle, in units of the picture's side.
type Box struct{ Left, Top, Right, Bottom float64 }

// Overlap is the area that two boxes share over the area that either covers: 1 for
// equal boxes, 0 for boxes that do not meet.
func (b Box) Overlap(o Box) float64 {
	width := math.Max(0, math.Min(b.Right, o.Right)-math.Max(b.Left, o.Left))
	height := math.Max(0, math.Min(b.Bottom, o.Bottom)-math.Max(b.Top, o.Top))
	shared := width * height
	if shared == 0 {
		return 0
	}
	return shared / (b.area() + o.area() - shared)
}

// Apart is how far the sides of two boxes are from each other, on average.
func (b Box) Apart(o Box) float64 {
	return (math.Abs(b.Left-o.Left) + math.Abs(b.Top-o.Top) + math.Abs(b.Right-o.Right) + math.Abs(b.Bottom-o.Bottom)) / 4
}

func (b Box) area() float64 { return (b.Right - b.Left) * (b.Bottom - b.Top) }

// FieldColour is the colour of a field of flowers at a time of day.
func FieldColour(time string) RGB { return RGB{.88, .22, .50}.Times(fieldLight[time]) }

// fieldLight is brighter at night than what falls on other things: a field has to
// be told from the dark ground.
var fieldLight = map[string]RGB{"day": {1, 1, 1}, "sunset": {.86, .62, .66}, "night": {.52, .44, .62}}

func (s Scene) hasField() bool { return s.Thing == Field || s.Thing == treeAndField }

// newField places a field on the ground.
func (s *Scene) newField(rng *rand.Rand, w Spread) {
	depth := 1 - s.Horizon
	middle, width := .5+.16*symmetric(rng), .44+.08*symmetric(rng)
	top, height := uniform(rng, .28, .46), uniform(rng, .28, .40) // in depths
	if w == Broad {
		middle, width = uniform(rng, .2, .8), uniform(rng, .2, .7)
		top, height = uniform(rng, .10, .65), uniform(rng, .18, .45)
	}
	s.Field = Box{
		Left: math.Max(.02, middle-width/2), Right: math.Min(.98, middle+width/2),
		Top: s.Horizon + top*depth, Bottom: math.Min(.98, s.Horizon+(top+height)*depth),
	}
}

// drawField draws the field: narrower at its far end, with furrows.
func (s Scene) drawField(c *canvas) {
	f, colour := s.Field, FieldColour(s.Time).Add(s.Tint[2].Scale(.6))
	slant := .05 * (f.Right - f.Left)
	outline := []Point{{f.Left + slant, f.Top}, {f.Right - slant, f.Top}, {f.Right, f.Bottom}, {f.Left, f.Bottom}}
	c.fill(polygon(outline...), colour)
	for _, t := range []float64{.3, .65} {
		y := Lerp(f.Top, f.Bottom, t)
		in := slant*(1-t) + .03
		c.paint(Rect(f.Left+in, y-.006, f.Right-in, y+.006), .5, func(_, _ float64) RGB { return colour.Scale(.82) })
	}
}
