package world

import "math/rand/v2"

// Where the objects of a room stand, and what they are.
var (
	RoomPlaces = []string{"table", "floor", "beach"}
	Colours    = []string{"red", "green", "blue", "yellow", "purple", "orange"}
	Shapes     = []string{"ball", "box", "cone"}
)

var objectColours = map[string]RGB{
	"red": {.84, .13, .13}, "green": {.13, .60, .22}, "blue": {.14, .32, .84},
	"yellow": {.97, .83, .12}, "purple": {.56, .24, .70}, "orange": {.97, .52, .10},
}

// Objects lists all that may stand in a room.
func Objects() []Object {
	var all []Object
	for _, colour := range Colours {
		for _, shape := range Shapes {
			all = append(all, Object{colour, shape})
		}
	}
	return all
}

// ObjectColour is the colour of an object by its name, one of Colours.
func ObjectColour(name string) RGB { return objectColours[name] }

// roomColours holds the background's colours: above, below at the edge, below in front.
var roomColours = map[string][3]RGB{
	"table": {{.86, .84, .78}, {.46, .31, .20}, {.56, .38, .24}},
	"floor": {{.72, .82, .86}, {.50, .50, .54}, {.60, .60, .63}},
	"beach": {{.56, .80, .96}, {.88, .80, .62}, {.95, .88, .70}},
}

// How nearness shows: rows of the objects' bases and their widths.
const (
	roomEdge            = .40 // row where the background meets the floor
	FarBase, NearBase   = .52, .92
	FarWidth, NearWidth = .15, .38
	leftX, rightX       = .28, .72
	sway                = .03 // horizontal jitter of objects
)

func (s *Scene) newRoom(rng *rand.Rand, w Spread) {
	s.Place = pick(rng, RoomPlaces)
	order := rng.Perm(len(Colours)) // two colours, always different
	for i := range s.Objects {
		s.Objects[i] = Object{Colour: Colours[order[i]], Shape: pick(rng, Shapes)}
		s.Near[i] = gaussian(rng, nearMean, nearSpread, 0, 1)
		if w == Broad {
			s.Near[i] = rng.Float64()
		}
	}
}

// objectBox returns where an object stands: the middle and row of its base, and its width.
func (s Scene) objectBox(i int) (x, base, width float64) {
	x = [2]float64{leftX, rightX}[i] + sway*s.X[i]
	return x, Lerp(FarBase, NearBase, s.Near[i]), Lerp(FarWidth, NearWidth, s.Near[i])
}

func (s Scene) drawRoom(c *canvas) {
	palette := roomColours[s.Place]
	c.rows(func(float64) RGB { return palette[0].Add(s.Tint[0]) })
	if s.Place == "beach" {
		c.below(func(float64) float64 { return roomEdge - .10 }, func(float64) RGB { return RGB{.22, .55, .76}.Add(s.Tint[0]) })
	}
	c.below(func(float64) float64 { return roomEdge }, func(y float64) RGB {
		return Mix(palette[1], palette[2], (y-roomEdge)/(1-roomEdge)).Add(s.Tint[1])
	})
	first, second := 0, 1
	if s.Near[0] > s.Near[1] {
		first, second = 1, 0
	}
	for _, i := range []int{first, second} {
		if s.Present(i) {
			s.drawObject(c, i)
		}
	}
}

func (s Scene) drawObject(c *canvas, i int) {
	x, base, w := s.objectBox(i)
	colour := ObjectColour(s.Objects[i].Colour).Add(s.Tint[2].Scale(.6))
	light, dark := Mix(colour, RGB{1, 1, 1}, .45), colour.Scale(.68)
	c.paint(Ellipse(x+.06*w, base-.01*w, .56*w, .13*w), .35, func(_, _ float64) RGB { return RGB{.10, .08, .08} })
	switch s.Objects[i].Shape {
	case "ball":
		r := w / 2
		y := base - r
		c.paint(disc(x, y, r), 1, func(px, py float64) RGB {
			// Darker away from the light at the upper left.
			return Mix(colour, dark, Clamp(((px-x)+(py-y))/(1.4*r)))
		})
		c.paint(Ellipse(x-.36*r, y-.40*r, .24*r, .18*r), .8, func(_, _ float64) RGB { return light })
	case "box":
		h, d := .78*w, .20*w
		left, right, top := x-w/2, x+w/2-d, base-h
		c.fill(Rect(left, top, right, base), colour)
		c.fill(polygon(Point{left, top}, Point{left + d, top - .7*d}, Point{right + d, top - .7*d}, Point{right, top}), light)
		c.fill(polygon(Point{right, top}, Point{right + d, top - .7*d}, Point{right + d, base - .7*d}, Point{right, base}), dark)
	default: // cone
		h := 1.15 * w
		c.fill(Ellipse(x, base-.10*w, .5*w, .10*w), dark)
		c.paint(polygon(Point{x - .5*w, base - .10*w}, Point{x, base - h}, Point{x + .5*w, base - .10*w}), 1, func(px, _ float64) RGB {
			return Mix(Mix(colour, light, .35), dark, Clamp(.5+(px-x)/(.7*w)))
		})
		c.fill(Ellipse(x, base-.10*w, .5*w, .10*w), Mix(colour, dark, .5))
	}
}
