package scenes

import (
	"image"
	"image/color"
	"math"
)

// RGB is a colour, channels nominally in [0,1].
type RGB [3]float32

func (a RGB) add(b RGB) RGB { return RGB{a[0] + b[0], a[1] + b[1], a[2] + b[2]} }

func (a RGB) times(b RGB) RGB { return RGB{a[0] * b[0], a[1] * b[1], a[2] * b[2]} }

func (a RGB) scale(f float32) RGB { return RGB{a[0] * f, a[1] * f, a[2] * f} }

// mix returns a at t = 0 and b at t = 1.
func mix(a, b RGB, t float64) RGB {
	u := float32(t)
	return RGB{a[0] + (b[0]-a[0])*u, a[1] + (b[1]-a[1])*u, a[2] + (b[2]-a[2])*u}
}

// Picture is a square image in floating point.
type Picture struct {
	Size int
	Pix  []float32 // [Size, Size, 3], RGB in [0,1]
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

// canvas paints shapes onto a picture. Coordinates are in units of the side.
type canvas struct {
	p    *Picture
	side float64
}

func newCanvas(size int) *canvas {
	return &canvas{p: NewPicture(size), side: float64(size)}
}

// rows paints every row in the colour that paint gives its middle.
func (c *canvas) rows(paint func(y float64) RGB) {
	n := c.p.Size
	for row := 0; row < n; row++ {
		v := paint((float64(row) + .5) / c.side)
		line := c.p.Pix[3*row*n : 3*(row+1)*n]
		for i := 0; i < len(line); i += 3 {
			line[i], line[i+1], line[i+2] = v[0], v[1], v[2]
		}
	}
}

// below paints all that lies under an edge (a row for each x), in colours by row.
func (c *canvas) below(edge func(x float64) float64, paint func(y float64) RGB) {
	n := c.p.Size
	tops := make([]float64, n)
	highest := math.Inf(1)
	for column := range tops {
		tops[column] = edge((float64(column) + .5) / c.side)
		highest = math.Min(highest, tops[column])
	}
	for row := max(0, int(highest*c.side)-1); row < n; row++ {
		y := (float64(row) + .5) / c.side
		v := paint(y)
		for column, top := range tops {
			c.blend(column, row, v, (y-top)*c.side+.5)
		}
	}
}

// fill paints a shape in one colour.
func (c *canvas) fill(s shape, colour RGB) {
	c.paint(s, 1, func(_, _ float64) RGB { return colour })
}

// paint paints a shape in colours by place, with an opacity in [0,1].
func (c *canvas) paint(s shape, opacity float64, colour func(x, y float64) RGB) {
	n := c.p.Size
	left, right := max(0, int(s.left*c.side)-1), min(n-1, int(s.right*c.side)+1)
	top, bottom := max(0, int(s.top*c.side)-1), min(n-1, int(s.bottom*c.side)+1)
	for row := top; row <= bottom; row++ {
		y := (float64(row) + .5) / c.side
		for column := left; column <= right; column++ {
			x := (float64(column) + .5) / c.side
			cover := .5 - s.distance(x, y)*c.side
			if cover <= 0 {
				continue
			}
			c.blend(column, row, colour(x, y), math.Min(cover, 1)*opacity)
		}
	}
}

// glow moves colours towards one with a share that falls off like a gaussian
// of the given radius around (x, y); strength is the share in the middle.
func (c *canvas) glow(x, y, radius, strength float64, colour RGB) {
	const reach = 2.6 // radii; beyond it the share is below .04 of the strength
	edge := math.Exp(-reach * reach / 2)
	box := disc(x, y, reach*radius)
	n := c.p.Size
	for row := max(0, int(box.top*c.side)); row <= min(n-1, int(box.bottom*c.side)); row++ {
		dy := (float64(row)+.5)/c.side - y
		for column := max(0, int(box.left*c.side)); column <= min(n-1, int(box.right*c.side)); column++ {
			dx := (float64(column)+.5)/c.side - x
			fall := math.Exp(-(dx*dx+dy*dy)/(2*radius*radius)) - edge
			if fall > 0 {
				c.blend(column, row, colour, strength*fall)
			}
		}
	}
}

// blend mixes a colour into a pixel; cover is clamped to [0,1].
func (c *canvas) blend(column, row int, colour RGB, cover float64) {
	if cover <= 0 {
		return
	}
	u := float32(math.Min(cover, 1))
	pix := c.p.Pix[3*(row*c.p.Size+column):]
	_ = pix[2]
	pix[0] += (colour[0] - pix[0]) * u
	pix[1] += (colour[1] - pix[1]) * u
	pix[2] += (colour[2] - pix[2]) * u
}

func (c *canvas) clamp() {
	for i, v := range c.p.Pix {
		c.p.Pix[i] = max(0, min(1, v))
	}
}
