package overlay

import (
	"image"
	"image/color"
	"image/draw"
)

// film is what a picture does to every image of one size:
//
//	out = image * keep + ink
//
// keep is [height, width] in [0, 1]; ink is [height, width, 3], with 0 <= ink <=
// 1 - keep, but for rounding.
type film struct {
	height, width int
	keep, ink     []float32
}

// develop asks cover, per pixel of a picture that has the size of the image, how
// much of it is laid over the image, in [0, 1]. colour and alpha are premultiplied
// and in [-1, 1].
func (p pixels) develop(cover func(colour []float32, alpha float32) float32) film {
	f := film{p.height, p.width, make([]float32, p.height*p.width), make([]float32, 3*p.height*p.width)}
	for i := range f.keep {
		colour, alpha := p.values[4*i:4*i+3], p.values[4*i+3]
		share, a := cover(colour, alpha), (alpha+1)/2
		f.keep[i] = 1 - share*a
		for k, v := range colour {
			f.ink[3*i+k] = share * min((v+1)/2, a)
		}
	}
	return f
}

// premultiplied copies a region of a picture of any kind. If alpha is dropped the
// colours stay what they are, even where nobody saw them, and all is opaque.
func premultiplied(picture image.Image, b image.Rectangle, dropAlpha bool) *image.RGBA {
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
