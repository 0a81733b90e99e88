package world

import "math"

// Shape is a region given by its signed distance (negative inside) and a box
// outside of which it is never evaluated.
type Shape struct {
	Left, Top, Right, Bottom float64
	Distance                 func(x, y float64) float64
}

// Point is a place in the units of the shapes around it.
type Point struct{ X, Y float64 }

// disc is a disc of radius r around (x, y).
func disc(x, y, r float64) Shape {
	return Shape{x - r, y - r, x + r, y + r, func(px, py float64) float64 {
		return math.Sqrt((px-x)*(px-x)+(py-y)*(py-y)) - r
	}}
}

// Ellipse is an axis-aligned ellipse; its distance is first-order exact near
// the edge, which is all that antialiasing needs.
func Ellipse(x, y, rx, ry float64) Shape {
	return Shape{x - rx, y - ry, x + rx, y + ry, func(px, py float64) float64 {
		u, v := (px-x)/rx, (py-y)/ry
		k := math.Sqrt(u*u + v*v)
		g := math.Sqrt(u*u/(rx*rx) + v*v/(ry*ry))
		if g < 1e-9 {
			return -math.Min(rx, ry)
		}
		return k * (k - 1) / g
	}}
}

// Rect is an axis-aligned rectangle.
func Rect(left, top, right, bottom float64) Shape {
	x, y, hw, hh := (left+right)/2, (top+bottom)/2, (right-left)/2, (bottom-top)/2
	return Shape{left, top, right, bottom, func(px, py float64) float64 {
		return math.Max(math.Abs(px-x)-hw, math.Abs(py-y)-hh)
	}}
}

// polygon is a closed polygon of any orientation.
func polygon(points ...Point) Shape {
	s := Bounds(points, 0)
	s.Distance = func(x, y float64) float64 {
		nearest, inside := math.Inf(1), false
		for i, a := range points {
			b := points[(i+1)%len(points)]
			nearest = math.Min(nearest, segmentSquared(x, y, a, b))
			if (a.Y > y) != (b.Y > y) && x < (b.X-a.X)*(y-a.Y)/(b.Y-a.Y)+a.X {
				inside = !inside
			}
		}
		if inside {
			return -math.Sqrt(nearest)
		}
		return math.Sqrt(nearest)
	}
	return s
}

// Strokes is the region within half a width of open polylines, with round ends.
func Strokes(width float64, lines ...[]Point) Shape {
	var all []Point
	for _, l := range lines {
		all = append(all, l...)
	}
	s := Bounds(all, width/2)
	s.Distance = func(x, y float64) float64 {
		nearest := math.Inf(1)
		for _, l := range lines {
			for i := 1; i < len(l); i++ {
				nearest = math.Min(nearest, segmentSquared(x, y, l[i-1], l[i]))
			}
		}
		return math.Sqrt(nearest) - width/2
	}
	return s
}

// minus is the first shape without the second.
func minus(a, b Shape) Shape {
	outer, hole := a.Distance, b.Distance
	a.Distance = func(x, y float64) float64 { return math.Max(outer(x, y), -hole(x, y)) }
	return a
}

// arc samples an elliptic arc from one angle to another, in radians, clockwise
// on the screen from the right.
func arc(x, y, rx, ry, from, to float64, parts int) []Point {
	line := make([]Point, parts+1)
	for i := range line {
		a := Lerp(from, to, float64(i)/float64(parts))
		line[i] = Point{x + rx*math.Cos(a), y + ry*math.Sin(a)}
	}
	return line
}

// Bounds is the box around points with a margin on every side; it has no Distance.
func Bounds(points []Point, margin float64) Shape {
	s := Shape{Left: math.Inf(1), Top: math.Inf(1), Right: math.Inf(-1), Bottom: math.Inf(-1)}
	for _, p := range points {
		s.Left, s.Right = math.Min(s.Left, p.X-margin), math.Max(s.Right, p.X+margin)
		s.Top, s.Bottom = math.Min(s.Top, p.Y-margin), math.Max(s.Bottom, p.Y+margin)
	}
	return s
}

// segmentSquared is the squared distance of (x, y) from the segment ab.
func segmentSquared(x, y float64, a, b Point) float64 {
	dx, dy := b.X-a.X, b.Y-a.Y
	px, py := x-a.X, y-a.Y
	t := 0.
	if l := dx*dx + dy*dy; l > 0 {
		t = (px*dx + py*dy) / l
		if t < 0 {
			t = 0
		} else if t > 1 {
			t = 1
		}
	}
	px, py = px-t*dx, py-t*dy
	return px*px + py*py
}
