package scenes

import "math"

// shape is a region given by its signed distance (negative inside) and a box
// outside of which it is never evaluated.
type shape struct {
	left, top, right, bottom float64
	distance                 func(x, y float64) float64
}

type point struct{ x, y float64 }

func disc(x, y, r float64) shape {
	return shape{x - r, y - r, x + r, y + r, func(px, py float64) float64 {
		return math.Sqrt((px-x)*(px-x)+(py-y)*(py-y)) - r
	}}
}

// ellipse is an axis-aligned ellipse; its distance is first-order exact near
// the edge, which is all that antialiasing needs.
func ellipse(x, y, rx, ry float64) shape {
	return shape{x - rx, y - ry, x + rx, y + ry, func(px, py float64) float64 {
		u, v := (px-x)/rx, (py-y)/ry
		k := math.Sqrt(u*u + v*v)
		g := math.Sqrt(u*u/(rx*rx) + v*v/(ry*ry))
		if g < 1e-9 {
			return -math.Min(rx, ry)
		}
		return k * (k - 1) / g
	}}
}

// rect is an axis-aligned rectangle.
func rect(left, top, right, bottom float64) shape {
	x, y, hw, hh := (left+right)/2, (top+bottom)/2, (right-left)/2, (bottom-top)/2
	return shape{left, top, right, bottom, func(px, py float64) float64 {
		return math.Max(math.Abs(px-x)-hw, math.Abs(py-y)-hh)
	}}
}

// polygon is a closed polygon of any orientation.
func polygon(points ...point) shape {
	s := bounds(points, 0)
	s.distance = func(x, y float64) float64 {
		nearest, inside := math.Inf(1), false
		for i, a := range points {
			b := points[(i+1)%len(points)]
			nearest = math.Min(nearest, segmentSquared(x, y, a, b))
			if (a.y > y) != (b.y > y) && x < (b.x-a.x)*(y-a.y)/(b.y-a.y)+a.x {
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

// strokes is the region within half a width of open polylines, with round ends.
func strokes(width float64, lines ...[]point) shape {
	var all []point
	for _, l := range lines {
		all = append(all, l...)
	}
	s := bounds(all, width/2)
	s.distance = func(x, y float64) float64 {
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
func minus(a, b shape) shape {
	outer, hole := a.distance, b.distance
	a.distance = func(x, y float64) float64 { return math.Max(outer(x, y), -hole(x, y)) }
	return a
}

// arc samples an elliptic arc from one angle to another, in radians, clockwise
// on the screen from the right.
func arc(x, y, rx, ry, from, to float64, parts int) []point {
	line := make([]point, parts+1)
	for i := range line {
		a := lerp(from, to, float64(i)/float64(parts))
		line[i] = point{x + rx*math.Cos(a), y + ry*math.Sin(a)}
	}
	return line
}

func bounds(points []point, margin float64) shape {
	s := shape{left: math.Inf(1), top: math.Inf(1), right: math.Inf(-1), bottom: math.Inf(-1)}
	for _, p := range points {
		s.left, s.right = math.Min(s.left, p.x-margin), math.Max(s.right, p.x+margin)
		s.top, s.bottom = math.Min(s.top, p.y-margin), math.Max(s.bottom, p.y+margin)
	}
	return s
}

// segmentSquared is the squared distance of (x, y) from the segment ab.
func segmentSquared(x, y float64, a, b point) float64 {
	dx, dy := b.x-a.x, b.y-a.y
	px, py := x-a.x, y-a.y
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
