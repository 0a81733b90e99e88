package world

import (
	"math"
	"math/rand/v2"
)

// Colours of the crown of a landscape's tree by day, in shade and in light.
var crownShade, crownLight = RGB{.13, .42, .16}, RGB{.26, .56, .22}

// Crown returns the colours of a landscape's tree at a time of day, in shade and in
// light.
func Crown(time string) (shade, light RGB) {
	return crownShade.Times(ambients[time]), crownLight.Times(ambients[time])
}

// drawTree draws a tree of height .34 times size whose foot is at (x, base).
func drawTree(c *canvas, x, base, size float64, light, tint RGB, snowy bool) {
	trunk, leaves, bright := RGB{.42, .27, .16}.Times(light), crownShade.Times(light).Add(tint), crownLight.Times(light).Add(tint)
	c.fill(polygon(Point{x - .022*size, base}, Point{x - .014*size, base - .16*size}, Point{x + .014*size, base - .16*size}, Point{x + .022*size, base}), trunk)
	for _, b := range []struct{ x, y, r float64 }{{-.055, .155, .075}, {.055, .155, .075}, {0, .235, .095}} {
		c.fill(disc(x+b.x*size, base-b.y*size, b.r*size), leaves)
	}
	c.fill(disc(x-.022*size, base-.262*size, .052*size), bright)
	c.fill(disc(x-.062*size, base-.175*size, .036*size), bright)
	if snowy {
		snow := RGB{.93, .96, 1}.Times(light)
		c.fill(Ellipse(x, base-.305*size, .062*size, .028*size), snow)
		c.fill(Ellipse(x-.085*size, base-.205*size, .040*size, .024*size), snow)
		c.fill(Ellipse(x+.085*size, base-.205*size, .040*size, .024*size), snow)
	}
}

// drawHouse draws a house of width .30 and height .30 times size that stands
// on (x, base), with a roof, a door and a window, lit at night.
func drawHouse(c *canvas, x, base, size float64, light, tint RGB, snowy, night bool) {
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	box := func(left, bottom, right, top float64) Shape {
		return Rect(x+left*size, base-top*size, x+right*size, base-bottom*size)
	}
	wall, roof, door := RGB{.95, .88, .74}.Times(light).Add(tint), RGB{.74, .22, .16}.Times(light), RGB{.42, .24, .14}.Times(light)
	pane := RGB{.40, .62, .82}.Times(light)
	if night {
		pane = RGB{1, .86, .42}
	}
	c.fill(box(.06, .18, .10, .30), door) // chimney
	c.fill(box(-.12, 0, .12, .16), wall)
	c.fill(polygon(at(-.155, .155), at(0, .295), at(.155, .155)), roof)
	if snowy {
		c.fill(polygon(at(-.105, .20), at(0, .305), at(.105, .20), at(0, .235)), RGB{.95, .97, 1}.Times(light))
	}
	c.fill(box(-.085, 0, -.02, .115), door)
	c.fill(box(.025, .055, .09, .115), pane)
}

// drawMountains draws a chain behind a horizon, with caps of snow.
func drawMountains(c *canvas, rng *rand.Rand, horizon, shift float64, rock, light RGB) {
	height := math.Min(.26, .62*horizon)
	cap := RGB{.96, .97, 1}.Times(light)
	for i, m := range []struct{ x, w, h float64 }{{.22, .30, .72}, {.78, .32, .80}, {.50, .34, 1}} {
		x, h := m.x+.07*shift, height*m.h*uniform(rng, .85, 1)
		w := m.w * uniform(rng, .9, 1.1)
		peak := Point{x, horizon - h}
		shade := rock.Scale(float32(.90 + .05*float64(i)))
		c.fill(polygon(Point{x - w, horizon + .02}, peak, Point{x + w, horizon + .02}), shade)
		slope := func(u, v float64) Point { return Point{x + u*w, peak.Y + v*h} }
		c.fill(polygon(slope(-.30, .30), peak, slope(.30, .30), slope(.14, .22), slope(.02, .36), slope(-.12, .24)), cap)
	}
}

// drawBoat draws a sailing boat that floats at (x, base), height .24 times size.
func drawBoat(c *canvas, x, base, size float64, tint RGB) {
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	c.fill(polygon(at(-.13, .055), at(.13, .055), at(.08, -.02), at(-.08, -.02)), RGB{.72, .20, .14}.Add(tint))
	c.fill(Rect(x-.008*size, base-.25*size, x+.008*size, base-.05*size), RGB{.36, .24, .16})
	c.fill(polygon(at(.012, .245), at(.012, .075), at(.115, .075)), RGB{.99, .98, .94})
	c.fill(polygon(at(-.014, .215), at(-.014, .075), at(-.085, .075)), RGB{.95, .90, .80})
}

// drawBareTree draws a winter tree of height .3 times size with snow on it.
func drawBareTree(c *canvas, x, base, size float64, tint RGB) {
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	bark := RGB{.34, .25, .20}.Add(tint)
	c.fill(Strokes(.030*size, []Point{at(0, 0), at(0, .17)}), bark)
	c.fill(Strokes(.018*size,
		[]Point{at(0, .10), at(-.09, .20), at(-.11, .27)}, []Point{at(0, .12), at(.09, .21), at(.12, .28)},
		[]Point{at(0, .15), at(-.03, .31)}, []Point{at(0, .16), at(.05, .31)}, []Point{at(-.06, .165), at(-.12, .18)},
		[]Point{at(.06, .18), at(.13, .20)}), bark)
}
