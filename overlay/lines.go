package overlay

import (
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

// Draw returns the picture, width x height pixels.
func (l HorizonLine) Draw(width, height int) *image.NRGBA {
	c := newCanvas(width, height)
	ink := or(l.Color, red)
	y := c.at(Point{Y: orNumber(l.Row, 0.5)}).Y
	half := c.length(l.Width, 1.5) / 2
	for x := gap / 2. * c.unit; x < float64(width) && c.unit > 0; x += (dash + gap) * c.unit {
		c.rectangle(x, y-half, x+dash*c.unit, y+half, ink)
	}
	return c.picture()
}

// LineSample draws a sample of a stroke at the bottom of the picture: the line
// weight that a drawing should have.
type LineSample struct {
	Width float64     // thickness in 64ths of the shorter side; 0 is 2
	Color color.Color // nil is red
}

// Draw returns the picture, width x height pixels.
func (l LineSample) Draw(width, height int) *image.NRGBA {
	c := newCanvas(width, height)
	left, right := c.at(Point{X: 0.15}).X, c.at(Point{X: 0.85}).X
	bottom := float64(height) - 3*c.unit
	c.rectangle(left, bottom-c.length(l.Width, 2), right, bottom, or(l.Color, red))
	return c.picture()
}

func or(ink, otherwise color.Color) color.Color {
	if ink == nil {
		return otherwise
	}
	return ink
}

func orNumber(x, otherwise float64) float64 {
	if x == 0 {
		return otherwise
	}
	return x
}
