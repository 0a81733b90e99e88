package world

import "math/rand/v2"

var lakeThings = []string{"", "tree", "house", "boat", Mountains}

// Colours of a lake's world in summer and winter: sky above and below, land far and near.
var lakeColours = map[bool][4]RGB{
	false: {{.40, .68, .95}, {.74, .88, .98}, {.46, .70, .28}, {.28, .56, .18}},
	true:  {{.66, .68, .80}, {.82, .82, .89}, {.93, .95, .98}, {.99, .99, 1}},
}

// Where the lake lies: its middle and half its extent, before jitter.
const (
	LakeX, LakeY   = .5, .71
	LakeRX, LakeRY = .38, .17
)

// Colours of water and ice, far and near.
var (
	Water = [2]RGB{{.16, .47, .78}, {.06, .27, .62}}
	Ice   = [2]RGB{{.69, .86, .95}, {.59, .79, .92}}
)

func (s *Scene) newLake(rng *rand.Rand, w Spread) {
	s.Winter, s.Thing = rng.IntN(2) == 1, pick(rng, lakeThings)
	s.Horizon = gaussian(rng, .42, .02, .36, .48)
	s.amount(rng, w, s.Winter)
}

func (s Scene) drawLake(c *canvas) {
	rng := s.details()
	palette := lakeColours[s.Winter]
	c.rows(func(y float64) RGB { return Mix(palette[0], palette[1], min(1, y/s.Horizon)).Add(s.Tint[0]) })
	if s.Thing == Mountains {
		rock := Mix(palette[1], RGB{.40, .42, .50}, .75).Add(s.Tint[2])
		drawMountains(c, rng, s.Horizon, s.X[0], rock, RGB{1, 1, 1})
	}
	c.below(func(float64) float64 { return s.Horizon }, func(y float64) RGB {
		return Mix(palette[2], palette[3], (y-s.Horizon)/(1-s.Horizon)).Add(s.Tint[1])
	})
	if s.Gone != Subject {
		s.drawWater(c)
	}
	base := s.Horizon + .04
	switch s.Thing {
	case "tree":
		if s.Winter {
			drawBareTree(c, .5+.36*s.X[0], base, s.Size, s.Tint[2])
		} else {
			drawTree(c, .5+.36*s.X[0], base, s.Size, RGB{1, 1, 1}, s.Tint[2], false)
		}
	case "house":
		drawHouse(c, .5+.32*s.X[0], base, s.Size, RGB{1, 1, 1}, s.Tint[2], s.Winter, false)
	case "boat":
		if s.Gone == Subject {
			return
		}
		drawBoat(c, .5+.14*s.X[0], LakeY+.02*s.Y[0], s.Size, s.Tint[2])
	}
}

// drawWater draws the lake: every colour moves evenly from water to ice with
// the amount, and ice shows a lit rim and cracks.
func (s Scene) drawWater(c *canvas) {
	x, y := LakeX+.03*s.X[1], LakeY+.02*s.Y[1]
	rx, ry := LakeRX*(1+.4*(s.Size-1)), LakeRY*(1+.6*(s.Size-1))
	shore := RGB{.66, .58, .38}
	if s.Winter {
		shore = RGB{.80, .85, .92}
	}
	c.fill(Ellipse(x, y+.006, rx+.018, ry+.018), shore)
	c.paint(Ellipse(x, y, rx, ry), 1, func(_, py float64) RGB {
		t := Clamp((py - y + ry) / (2 * ry))
		return Mix(Mix(Water[0], Water[1], t), Mix(Ice[0], Ice[1], t), s.Amount)
	})
	for _, g := range []struct{ x, y, w float64 }{{-.45, -.35, .20}, {.30, -.05, .26}, {-.25, .40, .24}} {
		c.paint(Ellipse(x+g.x*rx, y+g.y*ry, g.w*rx, .05*ry), .30*(1-s.Amount), func(_, _ float64) RGB { return RGB{.62, .80, .95} })
	}
	at := func(u, v float64) Point { return Point{x + u*rx, y + v*ry} }
	cracks := Strokes(.013, []Point{at(-.80, -.20), at(-.35, -.05), at(-.05, -.45), at(.15, -.80)},
		[]Point{at(-.35, -.05), at(-.15, .50), at(-.30, .80)}, []Point{at(-.15, .50), at(.40, .25), at(.85, .35)}, []Point{at(.40, .25), at(.50, -.30)})
	c.paint(cracks, .85*s.Amount, func(_, _ float64) RGB { return RGB{.98, 1, 1} })
}
