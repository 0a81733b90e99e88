package world

import (
	"math"
	"math/rand/v2"
)

// What a drawing shows, and its inks.
var (
	DrawnThings = []string{"circle", "square", "triangle", "house", "fish", "boat", "cross", "cup"}
	Inks        = []string{"black", "blue", "red"}
)

var inkColours = map[string]RGB{"black": {.08, .08, .10}, "blue": {.10, .20, .72}, "red": {.78, .10, .10}}

// InkColour is the colour of one of Inks.
func InkColour(name string) RGB { return inkColours[name] }

var paper = RGB{.965, .95, .91}

func (s *Scene) newDrawing(rng *rand.Rand, w Spread) {
	s.Thing, s.Ink = pick(rng, DrawnThings), pick(rng, Inks)
	s.Stroke = gaussian(rng, strokeMean, strokeSpread, strokeLeast, strokeMost)
	if w == Broad {
		s.Stroke = math.Exp(uniform(rng, math.Log(StrokeThinnest), math.Log(StrokeWidest)))
	}
}

func (s Scene) drawDrawing(c *canvas) {
	sheet := paper.Add(s.Tint[0])
	c.rows(func(float64) RGB { return sheet })
	if s.Gone == Subject {
		return
	}
	lines, ink := s.outline(), InkColour(s.Ink).Add(s.Tint[2])
	wash := s.washed(lines)
	c.paint(Strokes(s.Stroke/64, lines...), 1, func(x, y float64) RGB { return Mix(ink, sheet, wash(x, y)) })
}

// washed returns the share of the ink that is missing at a place: all around a point
// of the lines.
func (s Scene) washed(lines [][]Point) func(x, y float64) float64 {
	if s.Wash == 0 {
		return func(_, _ float64) float64 { return 0 }
	}
	const stream = 2 // beside details, which the outline has used
	rng := rand.New(rand.NewPCG(s.Seed, stream))
	line := pick(rng, lines)
	middle, radius := pick(rng, line), uniform(rng, .12, .25)
	return func(x, y float64) float64 {
		dx, dy := (x-middle.X)/radius, (y-middle.Y)/radius
		return s.Wash * math.Exp(-(dx*dx+dy*dy)/2)
	}
}

// outline places the thing's lines on the paper: moved, scaled, leaning a
// little, and with a share of their length left out.
func (s Scene) outline() [][]Point {
	rng := s.details()
	size, lean := .36*s.Size, .06*symmetric(rng)
	x, y := .5+.05*s.X[0], .5+.05*s.Y[0]
	lines := ThingLines(s.Thing)
	for _, line := range lines {
		for i, p := range line {
			line[i] = Point{x + size*(p.X-lean*p.Y), y + size*(p.Y+lean*p.X)}
		}
	}
	if s.Gaps > 0 {
		lines = withGaps(rng, lines, s.Gaps)
	}
	return lines
}

// ThingLines returns the open polylines of a thing within [-1,1]; y grows downwards.
func ThingLines(thing string) [][]Point {
	switch thing {
	case "circle":
		return [][]Point{arc(0, 0, .9, .9, 0, 2*math.Pi, 28)}
	case "square":
		return [][]Point{closed(Point{-.8, -.8}, Point{.8, -.8}, Point{.8, .8}, Point{-.8, .8})}
	case "triangle":
		return [][]Point{closed(Point{0, -.9}, Point{.95, .8}, Point{-.95, .8})}
	case "house":
		return [][]Point{
			closed(Point{-.75, -.1}, Point{.75, -.1}, Point{.75, .95}, Point{-.75, .95}),
			{{-.98, -.1}, {0, -1}, {.98, -.1}, {-.98, -.1}},
			{{-.22, .95}, {-.22, .35}, {.22, .35}, {.22, .95}},
		}
	case "fish":
		return [][]Point{
			arc(-.22, 0, .76, .52, 0, 2*math.Pi, 28),
			{{.54, 0}, {1, -.5}, {1, .5}, {.54, 0}},
			{{-.60, -.14}, {-.58, -.12}},
		}
	case "boat":
		return [][]Point{
			closed(Point{-1, .35}, Point{1, .35}, Point{.6, .85}, Point{-.6, .85}),
			{{-.05, .35}, {-.05, -1}, {.75, .08}, {-.05, .08}},
		}
	case "cross":
		return [][]Point{{{0, -.95}, {0, .95}}, {{-.95, 0}, {.95, 0}}}
	default: // cup
		return [][]Point{
			{{-.9, -.7}, {.45, -.7}, {.32, .75}, {-.77, .75}, {-.9, -.7}},
			arc(.42, -.05, .48, .36, -math.Pi/2, math.Pi/2, 12),
		}
	}
}

func closed(points ...Point) []Point { return append(points, points[0]) }

// withGaps cuts lines into short dashes and drops a share of them.
func withGaps(rng *rand.Rand, lines [][]Point, share float64) [][]Point {
	const dash = .07 // of the side
	var kept [][]Point
	for _, line := range lines {
		for i := 1; i < len(line); i++ {
			a, b := line[i-1], line[i]
			n := 1 + int(math.Hypot(b.X-a.X, b.Y-a.Y)/dash)
			for k := 0; k < n; k++ {
				if rng.Float64() < share {
					continue
				}
				u, v := float64(k)/float64(n), float64(k+1)/float64(n)
				kept = append(kept, []Point{{Lerp(a.X, b.X, u), Lerp(a.Y, b.Y, u)}, {Lerp(a.X, b.X, v), Lerp(a.Y, b.Y, v)}})
			}
		}
	}
	return kept
}
