package overlay

import (
	"fmt"
	"image"
	"image/color"
	"math"
)

// Side is the side of a picture along which a Palette lies.
type Side int

// The sides of a Palette.
const (
	Bottom Side = iota // as in the paper
	Left
)

// Palette draws a strip of colours: those that the image should have.
type Palette struct {
	Colors []color.Color // in order from the left or from the top; nil is Retro()
	Side   Side
	Size   float64 // of the strip across, as a fraction of the picture; 0 is 0.125
}

// DarkAcademia returns a palette of browns, for one of the paper's controls.
func DarkAcademia() []color.Color { return hex(0x2b2118, 0x4a3426, 0x7a5a3a, 0xb08d57, 0xd9c7a3) }

// Pastel returns a palette of pale colours, for one of the paper's controls.
func Pastel() []color.Color { return hex(0xffc8dd, 0xffe5b4, 0xfdfbc8, 0xc7ecd1, 0xbcd9f5) }

// Retro returns a palette of the seventies, for one of the paper's controls.
func Retro() []color.Color { return hex(0x264653, 0x2a9d8f, 0xe9c46a, 0xf4a261, 0xd1495b) }

// Bounds is empty: the palette is as large as the image.
func (p Palette) Bounds() image.Rectangle { return image.Rectangle{} }

// Draw returns the picture, width x height pixels. Fields end on whole pixels, so
// that no mixed colours arise. A light edge parts the strip from the image.
func (p Palette) Draw(width, height int) (*image.NRGBA, error) {
	return prefixed(render(p, width, height))
}

// Validate returns an error that names a field out of its range.
func (p Palette) Validate() error { return named(p.validate()) }

func (p Palette) validate() error {
	if p.Colors != nil && len(p.Colors) == 0 {
		return invalid("Colors", "a list that is given must not be empty")
	}
	for i, ink := range p.Colors {
		if isNil(ink) {
			return invalid(fmt.Sprintf("Colors[%d]", i), "no colour is given")
		}
	}
	if p.Side != Bottom && p.Side != Left {
		return invalid("Side", "%d is unknown", p.Side)
	}
	return inRange("Size", p.Size, 0, 1)
}

func (p Palette) paint(c canvas) {
	colors := p.Colors
	if colors == nil {
		colors = Retro()
	}
	width, height := float64(c.Rect.Dx()), float64(c.Rect.Dy())
	size := orNumber(p.Size, 0.125)
	long, across := width, math.Round(size*height)
	if p.Side == Left {
		long, across = height, math.Round(size*width)
	}
	edge := max(1, math.Round(c.unit/2))
	c.strip(p.Side, 0, long, across+edge, paper)
	for i, ink := range colors {
		n := float64(len(colors))
		c.strip(p.Side, math.Round(float64(i)*long/n), math.Round(float64(i+1)*long/n), across, ink)
	}
}

// strip fills a stretch of a side, as wide as across.
func (c canvas) strip(side Side, from, to, across float64, ink color.Color) {
	if side == Left {
		c.rectangle(0, from, across, to, ink)
		return
	}
	height := float64(c.Rect.Dy())
	c.rectangle(from, height-across, to, height, ink)
}

func hex(values ...uint32) []color.Color {
	out := make([]color.Color, len(values))
	for i, v := range values {
		out[i] = color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
	}
	return out
}
