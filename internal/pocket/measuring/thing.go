package measuring

import (
	"cmp"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Thresholds of a drawing's likeness to a thing.
const (
	inkSolid     = .40  // share of ink from which a pixel belongs to a stroke
	inkVisible   = .20  // the same for a pixel of a thin stroke: one that stands out
	inkProminent = .12  // by how much it stands out from what is two pixels away, on both sides
	alike        = .80  // px at 64: mean misfit up to which a drawing is like its thing
	covered      = .88  // share of the thing's lines that must have ink on them
	coverReach   = 1.2  // px at 64 beyond half a stroke in which ink counts as on a line
	inkReadable  = .55  // share of full ink from which a drawing is not faded
	tooShort     = 12   // px of a drawing's larger side below which nothing is drawn
	stretchMost  = 1.45 // ratio of horizontal and vertical scale beyond which a fit is refused
	scaleLeast   = 6    // px: half of the size below which a fit is refused
	refined      = 3    // best things whose fit is refined
	inkSample    = 120  // pixels of ink that a fit looks at
	farthest     = 9.   // px: distance beyond which all is equally far
	misfitWeight = 1.5  // of both distances, so that a stray stroke counts
)

// Likeness tells which thing a drawing is most like and how well it fits.
type Likeness struct {
	Thing    string  // "" for empty paper
	Misfit   float64 // px at 64: mean distance between strokes and the thing's lines, beyond the stroke's width
	Covered  float64 // share of the thing's lines on which there is ink
	Strength float64 // darkness in shares of the full ink
}

// Good tells whether a person would read the drawing as a thing.
func (l Likeness) Good(thing string) bool {
	return l.Thing == thing && l.Misfit <= alike && l.Covered >= covered && l.Strength >= inkReadable
}

// Thing compares a drawing with all things of this world, each moved
// and scaled to the drawing's extent, whatever its stroke width.
func Thing(p *world.Picture) Likeness {
	p = p.Resized(measured)
	mask, strength := inkMask(p)
	width := strokeWidth(mask, p.Size)
	inked := strokePixels(mask, p.Size)
	ink := inkPoints(inked, p.Size)
	if width == 0 || len(ink) == 0 {
		return Likeness{Strength: strength}
	}
	far := distances(inked, p.Size)
	best := Likeness{Misfit: math.Inf(1), Strength: strength}
	extent := world.Bounds(ink, 0)
	if extent.Right-extent.Left < tooShort && extent.Bottom-extent.Top < tooShort {
		return Likeness{Strength: strength}
	}
	s := sketch{ink: thinned(ink), far: far, width: width}
	var fits []fit
	for _, thing := range world.DrawnThings {
		fits = append(fits, s.lay(thing, extent))
	}
	slices.SortStableFunc(fits, func(a, b fit) int { return cmp.Compare(a.misfit, b.misfit) })
	for _, f := range fits[:refined] {
		if f = s.refine(f); f.misfit < best.Misfit {
			best.Thing, best.Misfit, best.Covered = f.thing, f.misfit, f.cover
		}
	}
	return best
}

// strokePixels tells which pixels belong to strokes. A line thinner than a pixel
// leaves little ink in each, and a person still sees a line.
func strokePixels(mask []float64, n int) []bool {
	inked := make([]bool, len(mask))
	for i, v := range mask {
		inked[i] = v >= inkSolid || v >= inkVisible && standsOut(mask, n, i) && visibleAround(mask, n, i) >= 2
	}
	return inked
}

// standsOut tells whether a pixel is on a ridge: darker than both sides in some
// direction. The soft border of a broad stroke is darker than one side alone.
func standsOut(mask []float64, n, i int) bool {
	column, row := i%n, i/n
	if column < 2 || row < 2 || column >= n-2 || row >= n-2 {
		return false
	}
	for _, step := range []int{1, n, n + 1, n - 1} {
		if mask[i]-math.Max(mask[i-2*step], mask[i+2*step]) >= inkProminent {
			return true
		}
	}
	return false
}

// visibleAround counts the visible ones among the eight neighbours of a pixel that
// is not at the border: noise has no neighbours.
func visibleAround(mask []float64, n, i int) int {
	count := 0
	for _, step := range []int{1, n - 1, n, n + 1} {
		for _, k := range []int{i - step, i + step} {
			if mask[k] >= inkVisible {
				count++
			}
		}
	}
	return count
}

// inkPoints lists the middles of the pixels that belong to strokes.
func inkPoints(inked []bool, n int) []world.Point {
	var points []world.Point
	for i, is := range inked {
		if is {
			points = append(points, world.Point{X: float64(i%n) + .5, Y: float64(i/n) + .5})
		}
	}
	return points
}

// thinned keeps at most inkSample points, evenly.
func thinned(points []world.Point) []world.Point {
	step := 1 + len(points)/inkSample
	var kept []world.Point
	for i := 0; i < len(points); i += step {
		kept = append(kept, points[i])
	}
	return kept
}

// sketch is a drawing as the fits see it.
type sketch struct {
	ink   []world.Point // pixels with ink
	far   []float64     // every pixel's distance from ink
	width float64       // of the strokes
}

// fit is a thing laid over a drawing.
type fit struct {
	thing         string
	lines         [][]world.Point
	place         placement
	misfit, cover float64
}

// lay fits a thing's lines to the extent of a drawing's ink.
func (s sketch) lay(thing string, extent world.Shape) fit {
	f := fit{thing: thing, lines: world.ThingLines(thing)}
	var all []world.Point
	for _, l := range f.lines {
		all = append(all, l...)
	}
	own := world.Bounds(all, 0)
	// The ink reaches half a stroke beyond the lines.
	f.place.sx = (extent.Right - extent.Left + 1 - s.width) / (own.Right - own.Left)
	f.place.sy = (extent.Bottom - extent.Top + 1 - s.width) / (own.Bottom - own.Top)
	f.place.x = (extent.Left+extent.Right)/2 - f.place.sx*(own.Left+own.Right)/2
	f.place.y = (extent.Top+extent.Bottom)/2 - f.place.sy*(own.Top+own.Bottom)/2
	f.misfit, f.cover = s.misfit(f.place, f.lines)
	return f
}

// refine moves a fit in ever smaller steps as long as it improves.
func (s sketch) refine(f fit) fit {
	for step := 2.; step >= .5; step /= 2 {
		for improved := true; improved; {
			improved = false
			for _, next := range f.place.neighbours(step) {
				if m, c := s.misfit(next, f.lines); m < f.misfit-.01 {
					f.place, f.misfit, f.cover, improved = next, m, c, true
				}
			}
		}
	}
	return f
}

// placement puts a thing on the paper, in pixels.
type placement struct{ x, y, sx, sy, lean float64 }

// neighbours returns placements a step of pixels away at the lines' ends.
func (p placement) neighbours(step float64) []placement {
	var all []placement
	for _, d := range []float64{-step, step} {
		all = append(all,
			placement{p.x + d, p.y, p.sx, p.sy, p.lean}, placement{p.x, p.y + d, p.sx, p.sy, p.lean},
			placement{p.x, p.y, p.sx + d, p.sy, p.lean}, placement{p.x, p.y, p.sx, p.sy + d, p.lean},
			placement{p.x, p.y, p.sx, p.sy, p.lean + d/20})
	}
	return all
}

// misfit is the mean of two distances beyond half a stroke's width: of the ink
// from the thing's lines, and of the lines from the ink.
func (s sketch) misfit(p placement, lines [][]world.Point) (misfit, cover float64) {
	if p.sx < scaleLeast || p.sy < scaleLeast || math.Max(p.sx/p.sy, p.sy/p.sx) > stretchMost {
		return math.Inf(1), 0
	}
	placed := make([][]world.Point, len(lines))
	for i, line := range lines {
		for _, q := range line {
			placed[i] = append(placed[i], world.Point{X: p.x + p.sx*(q.X-p.lean*q.Y), Y: p.y + p.sy*(q.Y+p.lean*q.X)})
		}
	}
	region := world.Strokes(s.width, placed...)
	outside := 0.
	for _, q := range s.ink {
		outside += math.Max(0, region.Distance(q.X, q.Y))
	}
	missing, on, count := 0., 0., 0.
	eachPixel(placed, func(x, y float64) {
		column, row := int(x), int(y)
		d := farthest
		if column >= 0 && row >= 0 && column < measured && row < measured {
			d = s.far[row*measured+column]
		}
		missing += d
		count++
		if d <= coverReach {
			on++
		}
	})
	return misfitWeight * (outside/float64(len(s.ink)) + missing/count), on / count
}

// eachPixel visits points a pixel apart along lines.
func eachPixel(lines [][]world.Point, visit func(x, y float64)) {
	for _, line := range lines {
		for i := 1; i < len(line); i++ {
			a, b := line[i-1], line[i]
			n := 1 + int(math.Hypot(b.X-a.X, b.Y-a.Y))
			for k := 0; k < n; k++ {
				t := (float64(k) + .5) / float64(n)
				visit(world.Lerp(a.X, b.X, t), world.Lerp(a.Y, b.Y, t))
			}
		}
	}
}

// distances returns every pixel's distance to the nearest stroke pixel, at
// most farthest, by relaxing over neighbours in two sweeps.
func distances(inked []bool, n int) []float64 {
	d := make([]float64, len(inked))
	for i, is := range inked {
		if d[i] = farthest; is {
			d[i] = 0
		}
	}
	relax := func(row, column, dr, dc int, step float64) {
		if r, c := row+dr, column+dc; r >= 0 && c >= 0 && r < n && c < n {
			d[row*n+column] = math.Min(d[row*n+column], d[r*n+c]+step)
		}
	}
	for k := 0; k < n*n; k++ {
		row, column := k/n, k%n
		relax(row, column, 0, -1, 1)
		relax(row, column, -1, 0, 1)
		relax(row, column, -1, -1, math.Sqrt2)
		relax(row, column, -1, 1, math.Sqrt2)
	}
	for k := n*n - 1; k >= 0; k-- {
		row, column := k/n, k%n
		relax(row, column, 0, 1, 1)
		relax(row, column, 1, 0, 1)
		relax(row, column, 1, 1, math.Sqrt2)
		relax(row, column, 1, -1, math.Sqrt2)
	}
	return d
}
