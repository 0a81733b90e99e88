package world

import "math/rand/v2"

var houseThings = []string{"", "car", "bench", "fence"}

// Where the big house stands, before jitter.
const (
	HouseX, HouseBase = .46, .80
	WallRX            = .26       // half the width of the wall
	EaveY             = .35       // where the roof meets the wall, over the base
	PaneX, PaneY      = .13, .24  // middles of the two windows: from the house's middle, over its base
	PaneRX, PaneRY    = .055, .06 // half their extent
)

// Colours of the windows.
var (
	LitPane   = RGB{1, .87, .42}
	darkPane  = RGB{.34, .46, .60} // by day
	nightPane = RGB{.10, .12, .24} // at night
)

// DarkPane is the colour of a window behind which there is no light.
func DarkPane(night bool) RGB {
	if night {
		return nightPane
	}
	return darkPane
}

func (s *Scene) newHouse(rng *rand.Rand, w Spread) {
	s.Night, s.Thing = rng.IntN(2) == 1, pick(rng, houseThings)
	s.Horizon = gaussian(rng, .66, .02, .60, .72)
	s.amount(rng, w, s.Night)
}

func (s Scene) drawBigHouse(c *canvas) {
	time := choose(s.Night, "night", "day")
	light := ambients[time]
	c.rows(func(y float64) RGB { return Sky(time, y, s.Horizon).Add(s.Tint[0]) })
	c.below(func(float64) float64 { return s.Horizon }, func(y float64) RGB {
		return Ground("meadow", time, y, s.Horizon).Add(s.Tint[1])
	})
	if s.Thing == "fence" {
		drawFence(c, s.Horizon+.05, light)
	}
	if s.Gone != Subject {
		s.drawHouseAt(c, HouseX+.05*s.X[1], HouseBase+.02*s.Y[1], light)
	}
	switch s.Thing {
	case "car":
		drawCar(c, .80+.02*s.X[0], .93, light, s.Tint[2])
	case "bench":
		drawBench(c, .86, .92, light, s.Tint[2])
	}
}

// drawHouseAt draws the house with two windows, light in them as much as there is,
// and its glow on the wall.
func (s Scene) drawHouseAt(c *canvas, x, base float64, light RGB) {
	size := 1 + .5*(s.Size-1)
	at := func(u, v float64) Point { return Point{x + u*size, base - v*size} }
	box := func(left, bottom, right, top float64) Shape {
		return Rect(x+left*size, base-top*size, x+right*size, base-bottom*size)
	}
	wall, roof, door := RGB{.93, .84, .70}.Times(light).Add(s.Tint[2]), RGB{.72, .24, .18}.Times(light), RGB{.45, .26, .16}.Times(light)
	c.fill(box(.12, .40, .19, .60), door) // chimney
	c.fill(box(-WallRX, 0, WallRX, EaveY+.01), wall)
	c.fill(polygon(at(-.32, EaveY), at(0, .62), at(.32, EaveY)), roof)
	c.fill(box(-.045, 0, .045, .20), door)
	for _, u := range []float64{-PaneX, PaneX} {
		if s.Night {
			c.glow(x+u*size, base-PaneY*size, .10, .55*s.Amount, LitPane)
		}
		c.fill(box(u-PaneRX-.014, PaneY-PaneRY-.014, u+PaneRX+.014, PaneY+PaneRY+.014), RGB{.97, .96, .92}.Times(light))
		c.fill(box(u-PaneRX, PaneY-PaneRY, u+PaneRX, PaneY+PaneRY), Mix(DarkPane(s.Night), LitPane, s.Amount))
	}
}

// drawCar draws a car that stands on a row.
func drawCar(c *canvas, x, base float64, light, tint RGB) {
	paint := RGB{.16, .36, .80}.Times(light).Add(tint)
	c.fill(polygon(Point{x - .09, base - .10}, Point{x - .05, base - .165}, Point{x + .06, base - .165}, Point{x + .10, base - .10}), paint)
	c.fill(polygon(Point{x - .06, base - .10}, Point{x - .035, base - .15}, Point{x + .045, base - .15}, Point{x + .07, base - .10}), RGB{.75, .86, .95}.Times(light))
	c.fill(Rect(x-.16, base-.11, x+.16, base-.035), paint)
	for _, u := range []float64{-.09, .09} {
		c.fill(disc(x+u, base-.03, .034), RGB{.12, .12, .14})
	}
}
