package world

import (
	"math"
	"math/rand/v2"
)

// Things of a landscape: those that are named without an article, what lies on the
// ground, and the pairs of things.
const (
	Mountains    = "mountains"
	Clouds       = "clouds"
	Field        = "field"
	treeAndHouse = "tree and house"
	treeAndField = "tree and field"
)

// The places and times of landscapes.
var (
	Places = []string{"meadow", "desert", "sea", "snowfield"}
	Times  = []string{"day", "sunset", "night"}
)

var landscapeThings = []string{"", "tree", "house", Mountains, Clouds, treeAndHouse, Field, treeAndField}

// skies holds the colours of the sky at its top, middle and lower edge.
var skies = map[string][3]RGB{
	"day":    {{.30, .58, .92}, {.50, .74, .96}, {.74, .88, .98}},
	"sunset": {{.38, .32, .62}, {.90, .50, .46}, {1, .80, .48}},
	"night":  {{.03, .04, .15}, {.09, .10, .27}, {.20, .20, .42}},
}

// grounds holds the colours of the ground at the horizon and at the lower edge.
var grounds = map[string][2]RGB{
	"meadow day":       {{.52, .73, .30}, {.22, .52, .16}},
	"meadow sunset":    {{.45, .42, .16}, {.20, .27, .10}},
	"meadow night":     {{.07, .17, .13}, {.03, .09, .07}},
	"desert day":       {{.94, .82, .54}, {.83, .65, .36}},
	"desert sunset":    {{.80, .46, .26}, {.56, .29, .18}},
	"desert night":     {{.30, .25, .27}, {.17, .14, .17}},
	"sea day":          {{.20, .52, .74}, {.06, .29, .58}},
	"sea sunset":       {{.62, .36, .40}, {.16, .16, .36}},
	"sea night":        {{.07, .11, .24}, {.03, .05, .14}},
	"snowfield day":    {{.97, .98, 1}, {.84, .90, .98}},
	"snowfield sunset": {{.88, .68, .70}, {.66, .56, .72}},
	"snowfield night":  {{.54, .57, .74}, {.34, .37, .55}},
}

// rocks are the colours of far mountains; at night they are darker than any
// ground, so that the horizon below them still shows.
var rocks = map[string]RGB{
	"day":    {.42, .45, .55},
	"sunset": {.44, .30, .36},
	"night":  {.04, .04, .10},
}

// ambients is the light that falls on things.
var ambients = map[string]RGB{
	"day":    {1, 1, 1},
	"sunset": {.92, .70, .62},
	"night":  {.34, .38, .56},
}

func (s *Scene) newLandscape(rng *rand.Rand, w Spread) {
	s.Place, s.Time, s.Thing = pick(rng, Places), pick(rng, Times), pick(rng, landscapeThings)
	s.Horizon = gaussian(rng, horizonMean, horizonSpread, horizonLeast, horizonMost)
	if w == Broad {
		s.Horizon = uniform(rng, horizonTop, horizonBottom)
	}
	if s.hasField() {
		s.newField(rng, w)
	}
}

// Sky is the colour of the sky in row y above a horizon.
func Sky(time string, y, horizon float64) RGB {
	stops, t := skies[time], 2*Clamp(y/horizon)
	if t < 1 {
		return Mix(stops[0], stops[1], t)
	}
	return Mix(stops[1], stops[2], t-1)
}

// Ground is the colour of the ground in row y below a horizon.
func Ground(place, time string, y, horizon float64) RGB {
	stops := grounds[place+" "+time]
	return Mix(stops[0], stops[1], Clamp((y-horizon)/(1-horizon)))
}

// Rock is the colour of far mountains.
func Rock(time string) RGB { return rocks[time] }

func (s Scene) drawLandscape(c *canvas) {
	rng := s.details()
	horizon := s.Horizon
	if s.Gone == Subject {
		horizon = 1.5 // nothing but sky
	}
	c.rows(func(y float64) RGB { return Sky(s.Time, y, horizon).Add(s.Tint[0]) })
	s.drawHeaven(c, rng)
	if s.Thing == Clouds {
		s.drawClouds(c, rng)
	}
	if s.Gone == Subject {
		return
	}
	if s.Thing == Mountains {
		drawMountains(c, rng, s.Horizon, s.X[0], Rock(s.Time).Add(s.Tint[2]), ambients[s.Time])
	}
	edge := s.edge(rng)
	c.below(edge, func(y float64) RGB { return Ground(s.Place, s.Time, y, s.Horizon).Add(s.Tint[1]) })
	s.drawGroundDetails(c, rng)
	if s.hasField() {
		s.drawField(c)
	}
	s.drawThings(c)
}

// edge is the line of the horizon: level at sea, gently waved on land with
// the mean at the scene's horizon.
func (s Scene) edge(rng *rand.Rand) func(x float64) float64 {
	waves := float64(1 + rng.IntN(2))
	height, phase := uniform(rng, .004, .012), uniform(rng, 0, 2*math.Pi)
	if s.Place == "sea" {
		height = 0
	}
	return func(x float64) float64 {
		return s.Horizon + height*math.Sin(2*math.Pi*waves*x+phase)
	}
}

// drawHeaven draws the sun, or the moon and the stars.
func (s Scene) drawHeaven(c *canvas, rng *rand.Rand) {
	x := .5 + .36*s.X[1]
	switch s.Time {
	case "day":
		r := math.Min(.085, .34*s.Horizon)
		y := s.Horizon * (.30 + .10*s.Y[1])
		c.glow(x, y, 1.5*r, .5, RGB{1, .98, .80})
		c.fill(disc(x, y, r), RGB{1, .90, .36})
	case "sunset":
		r := math.Min(.11, .40*s.Horizon)
		y := s.Horizon - r*(.55+.45*s.Y[1])
		c.glow(x, y, 1.6*r, .7, RGB{1, .88, .55})
		c.fill(disc(x, y, r), RGB{1, .96, .70})
	case "night":
		r := math.Min(.085, .34*s.Horizon)
		y := s.Horizon * (.32 + .10*s.Y[1])
		for i := 0; i < 9; i++ {
			sx, sy := rng.Float64(), s.Horizon*uniform(rng, .03, .75)
			if math.Hypot(sx-x, sy-y) > 1.7*r {
				c.fill(disc(sx, sy, uniform(rng, .008, .014)), RGB{.95, .95, .85})
			}
		}
		c.glow(x, y, 1.6*r, .25, RGB{.75, .78, .90})
		c.fill(minus(disc(x, y, r), disc(x+.62*r, y-.25*r, .85*r)), RGB{.98, .96, .84})
	}
}

func (s Scene) drawClouds(c *canvas, rng *rand.Rand) {
	colour := Mix(RGB{1, 1, 1}, Sky(s.Time, .5*s.Horizon, s.Horizon), .12)
	switch s.Time {
	case "sunset":
		colour = RGB{.98, .70, .62}
	case "night":
		colour = RGB{.34, .36, .54}
	}
	unit := math.Min(1, s.Horizon/.4) * s.Size
	for i, x := range []float64{.24 + .08*s.X[0], .70 + .08*s.Y[0]} {
		y := s.Horizon * (.34 + .22*float64(i) + .05*symmetric(rng))
		for _, puff := range []struct{ x, y, r float64 }{{-.10, .01, .05}, {-.03, -.025, .07}, {.055, -.01, .06}, {.11, .015, .042}} {
			c.fill(disc(x+unit*puff.x, y+unit*puff.y, unit*puff.r), colour)
		}
		c.fill(Rect(x-unit*.10, y+unit*.01, x+unit*.11, y+unit*.057), colour)
	}
}

// drawGroundDetails adds light on the sea, dunes and drifts: low contrast, so
// that the horizon stays the picture's strongest edge.
func (s Scene) drawGroundDetails(c *canvas, rng *rand.Rand) {
	depth := 1 - s.Horizon
	if s.Place == "sea" {
		light := Mix(Sky(s.Time, s.Horizon, s.Horizon), RGB{1, 1, .9}, .4)
		x := .5 + .36*s.X[1]
		for i := 0; i < 5; i++ {
			t := (float64(i) + .6) / 5
			w := (.05 + .07*t) * uniform(rng, .7, 1.2)
			y := s.Horizon + depth*t*.9
			mid := x + .03*symmetric(rng)
			c.paint(Ellipse(mid, y, w, .008+.006*t), .45, func(_, _ float64) RGB { return light })
		}
		return
	}
	phase, tone := uniform(rng, 0, 2*math.Pi), RGB{1, 1, 1}.Scale(-.035)
	if s.Place == "desert" {
		tone = RGB{-.06, -.05, -.03}
	}
	top := s.Horizon + depth*uniform(rng, .42, .58)
	hill := func(x float64) float64 { return top + .12*depth*math.Sin(math.Pi*1.6*x+phase) }
	dark := tone.Scale(.4 + ambients[s.Time][0]*.6)
	c.below(hill, func(y float64) RGB { return Ground(s.Place, s.Time, y, s.Horizon).Add(s.Tint[1]).Add(dark) })
}

// drawThings stands a tree, a house or both on the ground.
func (s Scene) drawThings(c *canvas) {
	// Things stand a little before the horizon, far enough down to fit.
	base := math.Max(s.Horizon+.035+.015*s.Y[0], .36)
	light := ambients[s.Time]
	x := s.thingX()
	switch s.Thing {
	case "tree", treeAndField:
		s.island(c, x, base, .13)
		drawTree(c, x, base, s.Size, light, s.Tint[2], s.Place == "snowfield")
	case "house":
		s.island(c, x, base, .18)
		drawHouse(c, x, base, s.Size, light, s.Tint[2], s.Place == "snowfield", s.Time == "night")
	case treeAndHouse:
		tree, house := s.pair()
		s.island(c, tree, base, .12)
		s.island(c, house, base, .17)
		drawTree(c, tree, base, s.Size, light, s.Tint[2], s.Place == "snowfield")
		drawHouse(c, house, base, s.Size, light, s.Tint[2], s.Place == "snowfield", s.Time == "night")
	}
}

// thingX is the column, in [0, 1], of the thing that stands in a landscape by itself.
func (s Scene) thingX() float64 { return .5 + .30*s.X[0] }

// pair returns the columns of a tree and a house.
func (s Scene) pair() (tree, house float64) {
	left, right := .27+.07*s.X[0], .70+.07*s.Y[0]
	if s.Seed%2 == 1 {
		return right, left
	}
	return left, right
}

// TreeX is the column, in [0, 1], of a landscape's tree; false if it has none.
func (s Scene) TreeX() (float64, bool) {
	switch {
	case s.Family != Landscape:
		return 0, false
	case s.Thing == treeAndHouse:
		tree, _ := s.pair()
		return tree, true
	}
	return s.thingX(), s.Thing == "tree" || s.Thing == treeAndField
}

// island puts land under a thing that stands in the sea.
func (s Scene) island(c *canvas, x, y, r float64) {
	if s.Place == "sea" {
		c.fill(Ellipse(x, y+.012, r, .042), RGB{.86, .76, .50}.Times(ambients[s.Time]))
	}
}
