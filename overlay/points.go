package overlay

import (
	"cmp"
	"image"
	"image/color"
)

// Points draws two labelled points, A and B, of which a question can ask, for
// example, which is closer to the camera.
type Points struct {
	A, B           Point       // centres; both zero are {0.3, 0.6} and {0.7, 0.6}
	ColorA, ColorB color.Color // nil is red
	Radius         float64     // of a dot without its ring, in 64ths of the shorter side; 0 is 2
	NoLabels       bool        // dots alone, without the letters
}

// smallestDot is the radius in pixels below which the colour of a dot is lost in
// its ring.
const smallestDot = 1.25

// Bounds is empty: the points lie on an area as large as the image.
func (p Points) Bounds() image.Rectangle { return image.Rectangle{} }

// Draw returns the picture, width x height pixels.
func (p Points) Draw(width, height int) (*image.NRGBA, error) {
	return prefixed(render(p, width, height))
}

// Validate returns an error that names a field out of its range.
func (p Points) Validate() error { return named(p.validate()) }

func (p Points) validate() error {
	return cmp.Or(
		inRange("A.X", p.A.X, 0, 1), inRange("A.Y", p.A.Y, 0, 1), inRange("B.X", p.B.X, 0, 1), inRange("B.Y", p.B.Y, 0, 1),
		usable("ColorA", p.ColorA), usable("ColorB", p.ColorB), lengthInRange("Radius", p.Radius),
	)
}

func (p Points) paint(c canvas) {
	if p.A == (Point{}) && p.B == (Point{}) {
		p.A, p.B = Point{0.3, 0.6}, Point{0.7, 0.6}
	}
	radius := max(smallestDot, c.length(p.Radius, 2))
	c.dot(c.at(p.A), radius, or(p.ColorA, red))
	c.dot(c.at(p.B), radius, or(p.ColorB, red))
	if !p.NoLabels {
		l := newLettering(6 * c.unit)
		c.label(l, "A", c.at(p.A), radius, or(p.ColorA, red))
		c.label(l, "B", c.at(p.B), radius, or(p.ColorB, red))
	}
}

// dot draws a disc with a light ring, so that it is seen on its own colour too.
func (c canvas) dot(centre Point, radius float64, ink color.Color) {
	c.disc(centre, radius+ring(radius), paper)
	c.disc(centre, radius, ink)
}

// ring is the width of the ring around a dot.
func ring(radius float64) float64 { return max(1, radius/2.5) }

// label writes a letter above a dot, or below where the top edge is too close,
// and always inside the picture.
func (c canvas) label(l lettering, text string, centre Point, radius float64, ink color.Color) {
	reach := radius + ring(radius) + l.halo
	top := centre.Y - reach - l.ascent
	if top < l.halo {
		top = centre.Y + reach
	}
	left := centre.X - l.width(text)/2
	left = max(l.halo, min(left, float64(c.Rect.Dx())-l.width(text)-l.halo))
	c.write(l, text, left, top, ink)
}
