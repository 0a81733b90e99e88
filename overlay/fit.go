package overlay

import (
	"fmt"
	"image"
	"math"
)

// Fit says what becomes of a picture whose proportions are not those of the image.
// Proportions are the same if the picture, scaled to the image, misses it by less
// than a pixel of either: such a picture is laid over the whole image whatever Fit
// says.
type Fit int

const (
	// Strict is an error: nothing is distorted or lost unless you ask for it.
	Strict Fit = iota
	// Stretch scales width and height each by its own factor, as the paper's
	// reference does.
	Stretch
	// Contain shows all of the picture in the middle of the image; beside it, or
	// above and below, the image shows.
	Contain
	// Cover fills the image with the middle of the picture and leaves out the rest.
	Cover
)

func (f Fit) validate() error {
	if f < Strict || f > Cover {
		return invalid("Fit", "%d is unknown", f)
	}
	return nil
}

// place returns the region of the picture to be seen, and its size on an image.
func (f Fit) place(picture image.Rectangle, size image.Point) (region image.Rectangle, inner image.Point, err error) {
	own := picture.Size()
	if sameProportions(own, size) {
		return picture, size, nil
	}
	switch f {
	case Stretch:
		return picture, size, nil
	case Contain:
		return picture, largest(own, size), nil
	case Cover:
		inside := largest(size, own)
		corner := picture.Min.Add(own.Sub(inside).Div(2))
		return image.Rectangle{Min: corner, Max: corner.Add(inside)}, size, nil
	}
	return picture, size, fmt.Errorf("%w: Picture: its %dx%d pixels and the image's %dx%d have other proportions, and Fit does not say what to do",
		ErrOptions, own.X, own.Y, size.X, size.Y)
}

// sameProportions tells whether two sizes are the same but for a factor and the
// rounding of one side to a pixel.
func sameProportions(a, b image.Point) bool {
	off := math.Abs(float64(a.X)*float64(b.Y) - float64(a.Y)*float64(b.X))
	return off < float64(max(a.X, a.Y, b.X, b.Y))
}

// largest returns the largest size with the proportions of a that fits into b.
func largest(a, b image.Point) image.Point {
	scale := min(float64(b.X)/float64(a.X), float64(b.Y)/float64(a.Y))
	side := func(a, b int) int { return max(1, min(int(math.Round(scale*float64(a))), b)) }
	return image.Pt(side(a.X, b.X), side(a.Y, b.Y))
}

// centred returns the pixels in the middle of a larger sheet that is transparent.
func (p pixels) centred(height, width int) pixels {
	if p.height == height && p.width == width {
		return p
	}
	out := pixels{height, width, make([]float32, 4*height*width)}
	for i := range out.values {
		out.values[i] = -1 // nothing, premultiplied
	}
	top, left := (height-p.height)/2, (width-p.width)/2
	for y := range p.height {
		copy(out.values[4*((top+y)*width+left):], p.values[4*y*p.width:4*(y+1)*p.width])
	}
	return out
}
