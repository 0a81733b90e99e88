package overlay

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
)

// film is what a picture does to every image of one size:
//
//	out = image * keep + ink
//
// keep is [height, width] in [0, 1]; ink is [height, width, 3], with 0 <= ink <=
// 1 - keep.
type film struct {
	height, width int
	keep, ink     []float32
}

// develop brings the picture to the size of the image and asks cover, per pixel,
// how much of it is laid over the image, in [0, 1]. colour and alpha are
// premultiplied and in [-1, 1].
func (p prepared) develop(height, width int, cover func(colour []float32, alpha float32) float32) film {
	sheet := p.pixels.bilinear(height, width)
	f := film{height, width, make([]float32, height*width), make([]float32, 3*height*width)}
	for i := range f.keep {
		colour, alpha := sheet.values[4*i:4*i+3], sheet.values[4*i+3]
		share, a := cover(colour, alpha), (alpha+1)/2
		f.keep[i] = 1 - share*a
		for k, v := range colour {
			f.ink[3*i+k] = share * min((v+1)/2, a)
		}
	}
	return f
}

// prepared is a picture after the size-independent part of the preprocessing.
type prepared struct{ pixels }

// prepare does what diffusers' VaeImageProcessor does before the reference
// resizes the picture to the image: Lanczos to sides that are multiples of a
// number of pixels, then [-1, 1].
func prepare(picture image.Image, multiple int, dropAlpha bool) (prepared, error) {
	if picture == nil {
		return prepared{}, errors.New("overlay: no picture")
	}
	if multiple < 0 {
		return prepared{}, fmt.Errorf("overlay: Multiple is %d; it cannot be negative", multiple)
	}
	if multiple == 0 {
		multiple = 8
	}
	size := picture.Bounds().Size()
	if err := checkSize(size.X, size.Y); err != nil {
		return prepared{}, fmt.Errorf("overlay: %w", err)
	}
	flat := premultiplied(picture, dropAlpha)
	flat = lanczos(flat, roundDown(size.X, multiple), roundDown(size.Y, multiple))
	return prepared{toPixels(flat)}, nil
}

// roundDown returns the largest multiple that is not above n, or n where there
// is none.
func roundDown(n, multiple int) int {
	if n < multiple {
		return n
	}
	return n - n%multiple
}

// premultiplied copies a picture of any kind. If alpha is dropped the colours
// stay what they are, even where nobody saw them, and all is opaque.
func premultiplied(picture image.Image, dropAlpha bool) *image.RGBA {
	b := picture.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	if o, ok := picture.(interface{ Opaque() bool }); !dropAlpha || ok && o.Opaque() {
		draw.Draw(out, out.Rect, picture, b.Min, draw.Src)
		return out
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.NRGBAModel.Convert(picture.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			out.SetRGBA(x, y, color.RGBA{R: c.R, G: c.G, B: c.B, A: 255})
		}
	}
	return out
}
