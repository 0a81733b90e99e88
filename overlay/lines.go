package overlay

import (
	"cmp"
	"image"
	"image/color"
)

// HorizonLine draws a dashed line across the picture, where the horizon should
// be.
type HorizonLine struct {
	Row   float64     // fraction of the height in (0, 1]; 0 is the middle, 0.5
	Width float64     // thickness in 64ths of the shorter side; 0 is 1.5
	Color color.Color // nil is red
}

// Dashes of a HorizonLine in 64ths of the shorter side. Dashed, because a line
// of a generated image is hardly ever: the verifier can tell them apart.
const dash, gap = 5, 3

// Bounds is empty: the line is as large as the image.
func (l HorizonLine) Bounds() image.Rectangle { return image.Rectangle{} }

// Draw returns the picture, width x height pixels.
func (l HorizonLine) Draw(width, height int) (*image.NRGBA, error) {
	return prefixed(render(l, width, height))
}

// Validate returns an error that names a field out of its range.
func (l HorizonLine) Validate() error { return named(l.validate()) }

func (l HorizonLine) validate() error {
	return cmp.Or(inRange("Row", l.Row, 0, 1), lengthInRange("Width", l.Width), usable("Color", l.Color))
}

func (l HorizonLine) paint(c canvas) {
	ink := or(l.Color, red)
	y := c.at(Point{Y: orNumber(l.Row, 0.5)}).Y
	half := c.length(l.Width, 1.5) / 2
	unit := max(c.unit, 1./dash) // dashes below a pixel would be many and not be seen
	for x := gap / 2. * unit; x < float64(c.Rect.Dx()); x += (dash + gap) * unit {
		c.rectangle(x, y-half, x+dash*unit, y+half, ink)
	}
}

// LineSample draws a sample of a stroke at the bottom of the picture: the line
// weight that a drawing should have.
type LineSample struct {
	Width float64     // thickness in 64ths of the shorter side; 0 is 2
	Color color.Color // nil is red
}

// Bounds is empty: the sample is as large as the image.
func (l LineSample) Bounds() image.Rectangle { return image.Rectangle{} }

// Draw returns the picture, width x height pixels.
func (l LineSample) Draw(width, height int) (*image.NRGBA, error) {
	return prefixed(render(l, width, height))
}

// Validate returns an error that names a field out of its range.
func (l LineSample) Validate() error { return named(l.validate()) }

func (l LineSample) validate() error {
	return cmp.Or(lengthInRange("Width", l.Width), usable("Color", l.Color))
}

func (l LineSample) paint(c canvas) {
	left, right := c.at(Point{X: 0.15}).X, c.at(Point{X: 0.85}).X
	bottom := float64(c.Rect.Dy()) - 3*c.unit
	c.rectangle(left, bottom-c.length(l.Width, 2), right, bottom, or(l.Color, red))
}

func or(ink, otherwise color.Color) color.Color {
	if ink == nil {
		return otherwise
	}
	return ink
}

func orNumber[T int | float64](x, otherwise T) T {
	if x == 0 {
		return otherwise
	}
	return x
}
