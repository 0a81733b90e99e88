package world

import (
	"image"
	"image/color"
	"math"
)

// Picture is a square image in floating point.
type Picture struct {
	Size int
	Pix  []float32 // [Size, Size, 3], RGB in [0, 1]
}

// NewPicture returns a black picture.
func NewPicture(size int) *Picture {
	return &Picture{Size: size, Pix: make([]float32, 3*size*size)}
}

// At returns the colour of the pixel in a column and row, counted from the top left.
func (p *Picture) At(column, row int) RGB {
	i := 3 * (row*p.Size + column)
	return RGB(p.Pix[i : i+3])
}

// Set sets the colour of a pixel.
func (p *Picture) Set(column, row int, c RGB) {
	copy(p.Pix[3*(row*p.Size+column):], c[:])
}

// Clone returns a copy.
func (p *Picture) Clone() *Picture {
	return &Picture{Size: p.Size, Pix: append([]float32(nil), p.Pix...)}
}

// Image converts to 8 bits per channel, clamping.
func (p *Picture) Image() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.Size, p.Size))
	for i := 0; i < p.Size*p.Size; i++ {
		for c := 0; c < 3; c++ {
			v := math.Max(0, math.Min(1, float64(p.Pix[3*i+c])))
			img.Pix[4*i+c] = uint8(v*255 + .5)
		}
		img.Pix[4*i+3] = 255
	}
	return img
}

// FromImage converts the largest square at the image's top left corner;
// colours are not premultiplied and transparency is ignored.
func FromImage(img image.Image) *Picture {
	b := img.Bounds()
	p := NewPicture(min(b.Dx(), b.Dy()))
	for row := 0; row < p.Size; row++ {
		for column := 0; column < p.Size; column++ {
			n := color.NRGBAModel.Convert(img.At(b.Min.X+column, b.Min.Y+row)).(color.NRGBA)
			p.Set(column, row, RGB{float32(n.R) / 255, float32(n.G) / 255, float32(n.B) / 255})
		}
	}
	return p
}

// Resized averages or repeats pixels to a picture of another side.
func (p *Picture) Resized(size int) *Picture {
	if p.Size == size {
		return p
	}
	out, ratio := NewPicture(size), float64(p.Size)/float64(size)
	samples := max(1, int(math.Ceil(ratio)))
	for row := 0; row < size; row++ {
		for column := 0; column < size; column++ {
			var sum RGB
			for i := 0; i < samples*samples; i++ {
				x := int((float64(column) + (float64(i%samples)+.5)/float64(samples)) * ratio)
				y := int((float64(row) + (float64(i/samples)+.5)/float64(samples)) * ratio)
				sum = sum.Add(p.At(min(x, p.Size-1), min(y, p.Size-1)))
			}
			out.Set(column, row, sum.Scale(1/float32(samples*samples)))
		}
	}
	return out
}

// Inside visits the pixels whose middles are inside a shape.
func (p *Picture) Inside(s Shape, visit func(v RGB, x, y float64)) {
	side := float64(p.Size)
	for row := max(0, int(s.Top*side)); row <= min(p.Size-1, int(s.Bottom*side)); row++ {
		for column := max(0, int(s.Left*side)); column <= min(p.Size-1, int(s.Right*side)); column++ {
			x, y := (float64(column)+.5)/side, (float64(row)+.5)/side
			if s.Distance(x, y) <= 0 {
				visit(p.At(column, row), x, y)
			}
		}
	}
}
