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
	return canvas{
		RGBA: image.NewRGBA(image.Rect(0, 0, width, height)),
		unit: float64(min(width, height)) / 64,
	}
}

// visible returns the ink, or what stands for it if Solid would take it for
// nothing.
func visible(ink color.Color) color.Color {
	if c := color.NRGBAModel.Convert(ink).(color.NRGBA); c.R == 255 && c.G == 255 && c.B == 255 {
		return color.NRGBA{R: 254, G: 254, B: 254, A: c.A}
	}
	return ink
}

// at converts a place to pixels. Places far outside are brought nearer, or the
// rasteriser would lose its precision.
func (c canvas) at(p Point) Point {
	const far = 16
	x, y := max(-far, min(p.X, far)), max(-far, min(p.Y, far))
	return Point{x * float64(c.Rect.Dx()), y * float64(c.Rect.Dy())}
}

// length converts 64ths of the shorter side to pixels: otherwise, if x is 0, and
// never more than the whole side.
func (c canvas) length(x, otherwise float64) float64 {
	if x == 0 {
		x = otherwise
	}
	return max(0, min(x, 64)) * c.unit
}

// picture returns what was drawn, on transparent white: a viewer that drops
// alpha shows paper and not ink.
func (c canvas) picture() *image.NRGBA {
	out := image.NewNRGBA(c.Rect)
	for i := 0; i < len(c.Pix); i += 4 {
		from, to := c.Pix[i:i+4:i+4], out.Pix[i:i+4:i+4]
		switch a := uint32(from[3]); a {
		case 0:
			to[0], to[1], to[2] = 255, 255, 255
		case 255:
			copy(to, from)
		default:
			for k := range 3 {
				to[k] = uint8((uint32(from[k])*255 + a/2) / a)
			}
			to[3] = from[3]
		}
	}
	return out
}

// rectangle fills the box between two corners in pixels, antialiased.
func (c canvas) rectangle(left, top, right, bottom float64, ink color.Color) {
	// A path far outside would cost the rasteriser its precision.
	left, right = max(left, 0), min(right, float64(c.Rect.Dx()))
	top, bottom = max(top, 0), min(bottom, float64(c.Rect.Dy()))
	if left < right && top < bottom {
		c.polygon(ink, Point{left, top}, Point{right, top}, Point{right, bottom}, Point{left, bottom})
	}
}

// polygon fills a closed outline in pixels, antialiased.
func (c canvas) polygon(ink color.Color, corners ...Point) {
	low, high := corners[0], corners[0]
	for _, p := range corners {
		low.X, low.Y = min(low.X, p.X), min(low.Y, p.Y)
		high.X, high.Y = max(high.X, p.X), max(high.Y, p.Y)
	}
	c.fill(low.X, low.Y, high.X, high.Y, ink, func(path *vector.Rasterizer, dx, dy float32) {
		path.MoveTo(float32(corners[0].X)-dx, float32(corners[0].Y)-dy)
		for _, p := range corners[1:] {
			path.LineTo(float32(p.X)-dx, float32(p.Y)-dy)
		}
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
	r.Draw(c.RGBA, box, image.NewUniform(visible(ink)), image.Point{})
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
