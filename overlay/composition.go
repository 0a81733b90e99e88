package overlay

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"math"
)

// Composition draws an abstract sketch with notes in red that say what its parts
// stand for, such as "this line is a tree" or "a wide field": the image should
// have that composition.
//
// Notes are for pictures of 256 pixels and more. They shrink to fit, and one that
// would be illegible is left out: on 64 pixels a word or two fits.
type Composition struct {
	Areas []Area // drawn first
	Lines []Line
}

// Area is a rectangle of a Composition.
type Area struct {
	Min, Max Point       // upper left and lower right corner
	Color    color.Color // nil is an outline alone, through which Solid shows the image
	Note     string      // written inside; an area with a note is outlined in red
}

// Line is a straight line of a Composition.
type Line struct {
	From, To Point
	Width    float64     // in 64ths of the shorter side; 0 is 1
	Color    color.Color // nil is black
	Note     string      // written beside, with an arrow to the middle of the line
}

// Bounds is empty: the sketch is as large as the image.
func (s Composition) Bounds() image.Rectangle { return image.Rectangle{} }

// Draw returns the picture, width x height pixels.
func (s Composition) Draw(width, height int) (*image.NRGBA, error) {
	return prefixed(render(s, width, height))
}

// Validate returns an error that names a field out of its range.
func (s Composition) Validate() error { return named(s.validate()) }

func (s Composition) validate() error {
	for i, a := range s.Areas {
		at := fmt.Sprintf("Areas[%d].", i)
		if err := cmp.Or(finite(at+"Min", a.Min), finite(at+"Max", a.Max), usable(at+"Color", a.Color)); err != nil {
			return err
		}
	}
	for i, l := range s.Lines {
		at := fmt.Sprintf("Lines[%d].", i)
		err := cmp.Or(finite(at+"From", l.From), finite(at+"To", l.To), lengthInRange(at+"Width", l.Width), usable(at+"Color", l.Color))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s Composition) paint(c canvas) {
	for _, a := range s.Areas {
		c.area(a)
	}
	for _, l := range s.Lines {
		c.line(c.at(l.From), c.at(l.To), c.thickness(l), or(l.Color, color.Black))
	}
	// Notes last: nothing may hide them.
	n := notes{canvas: c, lines: s.Lines}
	for _, a := range s.Areas {
		n.inside(a)
	}
	for _, l := range s.Lines {
		n.beside(l)
	}
}

func (c canvas) area(a Area) {
	from, to := c.at(a.Min), c.at(a.Max)
	if a.Color != nil {
		c.rectangle(from.X, from.Y, to.X, to.Y, a.Color)
	}
	if a.Color == nil || a.Note != "" {
		w := c.outline()
		c.rectangle(from.X, from.Y, to.X, from.Y+w, red)
		c.rectangle(from.X, to.Y-w, to.X, to.Y, red)
		c.rectangle(from.X, from.Y+w, from.X+w, to.Y-w, red)
		c.rectangle(to.X-w, from.Y+w, to.X, to.Y-w, red)
	}
}

// outline is the width of red lines in pixels.
func (c canvas) outline() float64 { return max(1, c.unit/2) }

// thickness is a line's width in pixels.
func (c canvas) thickness(l Line) float64 { return c.length(l.Width, 1) }

// arrow points from a note to what it is about.
func (c canvas) arrow(tail, tip Point) {
	w := c.outline()
	dx, dy := tip.X-tail.X, tip.Y-tail.Y
	length := math.Hypot(dx, dy)
	if !(length > 0) {
		return
	}
	dx, dy = dx/length, dy/length
	head := min(4*w, length)
	neck := Point{tip.X - head*dx, tip.Y - head*dy}
	c.line(tail, neck, w, red)
	half := head / 2
	c.polygon(red, tip, Point{neck.X - half*dy, neck.Y + half*dx}, Point{neck.X + half*dy, neck.Y - half*dx})
}

// line draws a straight line with square ends.
func (c canvas) line(from, to Point, width float64, ink color.Color) {
	dx, dy := to.X-from.X, to.Y-from.Y
	length := math.Hypot(dx, dy)
	if !(length > 0) {
		return
	}
	x, y := -dy/length*width/2, dx/length*width/2
	c.polygon(ink, Point{from.X + x, from.Y + y}, Point{to.X + x, to.Y + y},
		Point{to.X - x, to.Y - y}, Point{from.X - x, from.Y - y})
}
