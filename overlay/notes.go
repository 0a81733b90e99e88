package overlay

import "math"

// notes writes the notes of a Composition where they hide each other, and its
// lines, as little as possible.
type notes struct {
	canvas
	lines []Line
	taken []box // by notes
}

// box is an upright rectangle in pixels.
type box struct{ left, top, right, bottom float64 }

// overlap returns the area that two boxes share, in square pixels.
func (b box) overlap(o box) float64 {
	return max(0, min(b.right, o.right)-max(b.left, o.left)) * max(0, min(b.bottom, o.bottom)-max(b.top, o.top))
}

func (b box) has(p Point) bool {
	return p.X > b.left && p.X < b.right && p.Y > b.top && p.Y < b.bottom
}

// sizes are the heights of letters in pixels to try, down to the smallest.
func (n *notes) sizes() []float64 {
	var sizes []float64
	for size := 3.2 * n.unit; size > smallestText; size *= 0.85 {
		sizes = append(sizes, size)
	}
	return append(sizes, smallestText)
}

// inside writes an area's note into its upper left corner, as large as it fits.
func (n *notes) inside(a Area) {
	if a.Note == "" {
		return
	}
	from, to := n.at(a.Min), n.at(a.Max)
	margin := 2 * n.outline()
	width, height := to.X-from.X-2*margin, to.Y-from.Y-2*margin
	for _, size := range n.sizes() {
		b := newBlock(newLettering(size), a.Note, width-2)
		if b.width+2*b.halo <= width && b.height+2*b.halo <= height {
			n.write(b, Point{from.X + margin + b.halo, from.Y + margin + b.halo})
			return
		}
	}
}

// beside writes a line's note left or right of a steep line, above or below a
// flat one, with an arrow to the line, as large as it fits.
func (n *notes) beside(l Line) {
	if l.Note == "" {
		return
	}
	for _, size := range n.sizes() {
		b := newBlock(newLettering(size), l.Note, 0.3*float64(n.Rect.Dx()))
		if p := n.best(l, b); n.free(b.box(p.corner)) {
			n.arrow(p.tail, p.tip)
			n.write(b, p.corner)
			return
		}
	}
}

// free says whether a note is legible at a place: inside the picture, and not
// over another one by more than its rim.
func (n *notes) free(b box) bool {
	if b.left < 0 || b.top < 0 || b.right > float64(n.Rect.Dx()) || b.bottom > float64(n.Rect.Dy()) {
		return false
	}
	shared := 0.
	for _, o := range n.taken {
		shared += b.overlap(o)
	}
	return shared <= 0.05*(b.right-b.left)*(b.bottom-b.top)
}

// best returns the cheapest place for a note.
func (n *notes) best(l Line, b block) place {
	best := n.try(l, b, 0.5, 1)
	for _, along := range []float64{0.5, 0.3, 0.7, 0.15, 0.85} {
		for _, side := range []float64{1, -1} {
			if p := n.try(l, b, along, side); p.cost < best.cost {
				best = p
			}
		}
	}
	return best
}

// place is where a note may stand.
type place struct {
	corner, tail, tip Point // of the text, and the arrow's ends
	cost              float64
}

// try puts a note at a fraction of the line's length, on one side of it: 1 is
// right or below, -1 left or above.
func (n *notes) try(l Line, b block, along, side float64) place {
	from, to := n.at(l.From), n.at(l.To)
	tip := Point{from.X + along*(to.X-from.X), from.Y + along*(to.Y-from.Y)}
	reach := 5*n.unit + n.thickness(l)/2
	middle := Point{tip.X, tip.Y + side*(reach+b.height/2)} // of the text
	tail := Point{tip.X, tip.Y + side*(reach-b.halo)}
	if math.Abs(to.Y-from.Y) >= math.Abs(to.X-from.X) {
		middle = Point{tip.X + side*(reach+b.width/2), tip.Y}
		tail = Point{tip.X + side*(reach-b.halo), tip.Y}
	}
	corner := Point{
		within(middle.X-b.width/2, b.halo, float64(n.Rect.Dx())-b.width-b.halo),
		within(middle.Y-b.height/2, b.halo, float64(n.Rect.Dy())-b.height-b.halo),
	}
	moved := math.Hypot(corner.X-middle.X+b.width/2, corner.Y-middle.Y+b.height/2)
	return place{corner, tail, tip, moved*n.unit + n.hidden(b.box(corner))}
}

// hidden measures in square pixels what a note at a place would hide.
func (n *notes) hidden(b box) float64 {
	cost := 0.
	for _, o := range n.taken {
		cost += b.overlap(o)
	}
	const samples = 32
	for _, l := range n.lines {
		from, to := n.at(l.From), n.at(l.To)
		step := math.Hypot(to.X-from.X, to.Y-from.Y) / samples * n.thickness(l)
		for i := range samples + 1 {
			t := float64(i) / samples
			if b.has(Point{from.X + t*(to.X-from.X), from.Y + t*(to.Y-from.Y)}) {
				cost += step
			}
		}
	}
	return cost
}

func (n *notes) write(b block, corner Point) {
	n.writeBlock(b, corner.X, corner.Y)
	n.taken = append(n.taken, b.box(corner))
}

// box returns the pixels of a block written at a corner, halo included.
func (b block) box(corner Point) box {
	return box{corner.X - b.halo, corner.Y - b.halo, corner.X + b.width + b.halo, corner.Y + b.height + b.halo}
}

// within moves x into [low, high], to low if there is no room.
func within(x, low, high float64) float64 { return max(low, min(x, high)) }
