package world

import "math"

// canvas paints shapes onto a picture. Coordinates are in units of the side.
type canvas struct {
	p    *Picture
	side float64
}

// newCanvas returns a black canvas of size x size pixels.
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
func (c *canvas) fill(s Shape, colour RGB) {
	c.paint(s, 1, func(_, _ float64) RGB { return colour })
}

// paint paints a shape in colours by place, with an opacity in [0,1].
func (c *canvas) paint(s Shape, opacity float64, colour func(x, y float64) RGB) {
	n := c.p.Size
	left, right := max(0, int(s.Left*c.side)-1), min(n-1, int(s.Right*c.side)+1)
	top, bottom := max(0, int(s.Top*c.side)-1), min(n-1, int(s.Bottom*c.side)+1)
	for row := top; row <= bottom; row++ {
		y := (float64(row) + .5) / c.side
		for column := left; column <= right; column++ {
			x := (float64(column) + .5) / c.side
			cover := .5 - s.Distance(x, y)*c.side
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
	for row := max(0, int(box.Top*c.side)); row <= min(n-1, int(box.Bottom*c.side)); row++ {
		dy := (float64(row)+.5)/c.side - y
		for column := max(0, int(box.Left*c.side)); column <= min(n-1, int(box.Right*c.side)); column++ {
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

// picture returns what was painted, colours clamped to [0, 1].
func (c *canvas) picture() *Picture {
	for i, v := range c.p.Pix {
		c.p.Pix[i] = max(0, min(1, v))
	}
	return c.p
}
