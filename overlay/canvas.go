package overlay

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/vector"
)

// The inks of the makers. Notes and marks are red, as in the paper.
var (
	red = color.NRGBA{R: 230, A: 255}
	// paper is what stands out from a dark image: white to the eye, but not the
	// pure white that Solid takes for nothing.
	paper = color.NRGBA{R: 250, G: 250, B: 250, A: 255}
)

// Point is a place in a picture as fractions of its width and height: {0, 0} is
// the upper left corner, {1, 1} the lower right.
type Point struct{ X, Y float64 }

// canvas is a picture being drawn, in pixels. It is premultiplied, for which
// image/draw and x/image/vector have fast paths.
type canvas struct {
	*image.RGBA
	unit float64 // pixels in a 64th of the shorter side
}

func newCanvas(width, height int) canvas {
	width, height = max(width, 0), max(height, 0)
	return canvas{
		RGBA: image.NewRGBA(image.Rect(0, 0, width, height)),
		unit: float64(min(width, height)) / 64,
	}
}

// at converts a place to pixels.
func (c canvas) at(p Point) Point {
	return Point{p.X * float64(c.Rect.Dx()), p.Y * float64(c.Rect.Dy())}
}

// picture returns what was drawn, on transparent white: a viewer that drops
// alpha shows paper and not ink.
func (c canvas) picture() *image.NRGBA {
	out := image.NewNRGBA(c.Rect)
	for i := 0; i < len(c.Pix); i += 4 {
		from, to := c.Pix[i:i+4:i+4], out.Pix[i:i+4:i+4]
		a := uint32(from[3])
		to[3] = from[3]
		for k := range 3 {
			if a == 0 {
				to[k] = 255
			} else {
				to[k] = uint8((uint32(from[k])*255 + a/2) / a)
			}
		}
	}
	return out
}

// rectangle fills the box between two corners in pixels, antialiased.
func (c canvas) rectangle(left, top, right, bottom float64, ink color.Color) {
	left, right = max(left, 0), min(right, float64(c.Rect.Dx()))
	top, bottom = max(top, 0), min(bottom, float64(c.Rect.Dy()))
	c.fill(left, top, right, bottom, ink, func(path *vector.Rasterizer, dx, dy float32) {
		l, t, r, b := float32(left)-dx, float32(top)-dy, float32(right)-dx, float32(bottom)-dy
		path.MoveTo(l, t)
		path.LineTo(r, t)
		path.LineTo(r, b)
		path.LineTo(l, b)
		path.ClosePath()
	})
}

// disc fills a circle in pixels, antialiased.
func (c canvas) disc(centre Point, radius float64, ink color.Color) {
	left, top := centre.X-radius, centre.Y-radius
	right, bottom := centre.X+radius, centre.Y+radius
	c.fill(left, top, right, bottom, ink, func(path *vector.Rasterizer, dx, dy float32) {
		// Four cubics; this handle's length keeps them within 0.03 % of the circle.
		x, y, s := float32(centre.X)-dx, float32(centre.Y)-dy, float32(radius)
		k := s * 0.5522848
		path.MoveTo(x+s, y)
		path.CubeTo(x+s, y+k, x+k, y+s, x, y+s)
		path.CubeTo(x-k, y+s, x-s, y+k, x-s, y)
		path.CubeTo(x-s, y-k, x-k, y-s, x, y-s)
		path.CubeTo(x+k, y-s, x+s, y-k, x+s, y)
		path.ClosePath()
	})
}

// fill rasterises a path whose pixels lie within the given box. It is
// traced relative to (dx, dy), the corner of the pixels that the box touches, so
// that a small mark costs little on a large picture.
func (c canvas) fill(left, top, right, bottom float64, ink color.Color, trace func(path *vector.Rasterizer, dx, dy float32)) {
	box := outward(left, top, right, bottom).Intersect(c.Rect)
	if box.Empty() {
		return
	}
	r := vector.NewRasterizer(box.Dx(), box.Dy())
	trace(r, float32(box.Min.X), float32(box.Min.Y))
	r.Draw(c.RGBA, box, image.NewUniform(ink), image.Point{})
}

// outward returns the pixels that a box touches. Coordinates far outside, or
// not a number, cannot overflow.
func outward(left, top, right, bottom float64) image.Rectangle {
	return image.Rect(bound(math.Floor(left)), bound(math.Floor(top)), bound(math.Ceil(right)), bound(math.Ceil(bottom)))
}

func bound(x float64) int {
	const far = 1 << 24
	if math.IsNaN(x) {
		return 0
	}
	return int(max(-far, min(x, far)))
}
