package measuring

import (
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// Thresholds of the horizon's measurement.
const (
	edgeReach = 3   // rows on each side that an edge is seen between
	edgeSoft  = .20 // contrast at which a column's vote is half: a sun must not outvote a horizon
	edgeNone  = .07 // contrast of rows that the slope of a sky reaches; a clear horizon has twice that

	edgeCandidate = .35 // share of the best vote that makes an edge a candidate
	edgeSeen      = .05 // contrast from which a column shows where the edge runs
	crossReach    = 4   // rows around the edge in which its middle is sought

	paletteWeight = 6.  // contrast that a palette's misfit outweighs
	paletteShift  = .06 // how far a palette may be shifted as a whole, per channel
	paletteCap    = .30 // distance beyond which a row is something else
	paletteClear  = .08 // misfit up to which colours say that this is a landscape
	mountainRows  = 16  // rows above a horizon that mountains may cover
	mountainStep  = 4   // in steps of
)

// Horizon returns the row of a landscape's horizon in [0,1] and how
// sure that is: near 0 without a horizon, 1 for a clear one. The horizon is
// the most marked level edge that also parts the rows into colours of some sky
// and some ground of this world.
func Horizon(p *world.Picture) (row, confidence float64) {
	p = p.Resized(measured)
	rows, edges := rowMedians(p), edgeScores(p)
	least := edgeCandidate * slices.Max(edges)
	best, bestScore, misfit := measured/2, math.Inf(-1), 1.
	for r := edgeReach; r <= measured-edgeReach; r++ {
		if edges[r] < least || edges[r] < edges[r-1] || edges[r] < edges[r+1] {
			continue
		}
		cost := paletteCost(rows, r)
		if score := edges[r] - paletteWeight*cost; score > bestScore {
			best, bestScore, misfit = r, score, cost
		}
	}
	confidence = world.Clamp(rowContrast(rows, best)/edgeNone-1) * world.Clamp(2-misfit/paletteClear)
	return edgeCrossing(p, best) / measured, confidence
}

// rowContrast is the contrast of the rows' colours above and below an edge;
// unlike the columns' votes it does not grow with noise.
func rowContrast(rows []world.RGB, row int) float64 {
	var d world.RGB
	for k := 0; k < edgeReach; k++ {
		d = d.Add(rows[row+k]).Sub(rows[row-1-k])
	}
	return d.Norm() / edgeReach
}

// rowMedians returns the median colour of every row, which suns, trees and
// houses do not change.
func rowMedians(p *world.Picture) []world.RGB {
	rows, line := make([]world.RGB, p.Size), make([]world.RGB, p.Size)
	for row := range rows {
		for column := range line {
			line[column] = p.At(column, row)
		}
		rows[row] = medianColour(line)
	}
	return rows
}

// paletteCost returns, for a horizon at row h, the mean distance of the rows'
// colours from the best fitting sky (before which mountains may stand) and ground.
func paletteCost(rows []world.RGB, h int) float64 {
	best, horizon := math.Inf(1), float64(h)/measured
	for _, time := range world.Times {
		above := skyCost(rows, h, time)
		for _, place := range world.Places {
			below := segmentCost(rows, h, measured, func(y float64) world.RGB { return world.Ground(place, time, y, horizon) })
			best = math.Min(best, (above+below)/measured)
		}
	}
	return best
}

// skyCost sums the distances of the rows above row h from a sky, with the
// best fitting height of mountains before it.
func skyCost(rows []world.RGB, h int, time string) float64 {
	best, horizon := math.Inf(1), float64(h)/measured
	for chain := 0; chain <= min(mountainRows, h-1); chain += mountainStep {
		cost := segmentCost(rows, 0, h-chain, func(y float64) world.RGB { return world.Sky(time, y, horizon) })
		cost += segmentCost(rows, h-chain, h, func(float64) world.RGB { return world.Rock(time) })
		best = math.Min(best, cost)
	}
	return best
}

// segmentCost sums the distances of rows from their palette, after a small
// shift that the palette may take as a whole.
func segmentCost(rows []world.RGB, from, to int, want func(y float64) world.RGB) float64 {
	var palette [measured]world.RGB
	var shift world.RGB
	for i := from; i < to; i++ {
		palette[i] = want((float64(i) + .5) / measured)
		shift = shift.Add(rows[i].Sub(palette[i]))
	}
	for c := range shift {
		shift[c] = max(-paletteShift, min(paletteShift, shift[c]/float32(max(1, to-from))))
	}
	total := 0.
	for i := from; i < to; i++ {
		total += math.Min(rows[i].Sub(palette[i].Add(shift)).Norm(), paletteCap)
	}
	return total
}

// edgeScores returns the contrast between the rows above and below the upper
// edge of each row, as the mean of the columns' votes in [0,1].
func edgeScores(p *world.Picture) []float64 {
	n := p.Size
	scores, sums := make([]float64, n), make([]world.RGB, n+1)
	for column := 0; column < n; column++ {
		for row := 0; row < n; row++ {
			sums[row+1] = sums[row].Add(p.At(column, row))
		}
		for row := edgeReach; row <= n-edgeReach; row++ {
			above, below := sums[row].Sub(sums[row-edgeReach]), sums[row+edgeReach].Sub(sums[row])
			contrast := below.Sub(above).Norm() / edgeReach
			scores[row] += contrast / (contrast + edgeSoft) / float64(n)
		}
	}
	return scores
}

// edgeCrossing refines an edge to fractions of a row: in every column, how
// much of a window around it has the colour of what is above.
func edgeCrossing(p *world.Picture, row int) float64 {
	first, last := max(0, row-crossReach), min(p.Size-1, row+crossReach-1)
	var rows []float64
	for column := 0; column < p.Size; column++ {
		above, below := p.At(column, first), p.At(column, last)
		if below.Sub(above).Norm() < edgeSeen {
			continue
		}
		at := float64(first)
		for r := first; r <= last; r++ {
			at += 1 - world.Clamp(p.At(column, r).Along(above, below))
		}
		rows = append(rows, at)
	}
	if len(rows) == 0 {
		return float64(row)
	}
	return quantile(rows, .5)
}

// PaletteError is the mean distance (per channel) of a landscape's row
// colours from the palette of its caption, with the horizon where it is
// measured; about .02 for drawn scenes of the narrow world.
func PaletteError(p *world.Picture, caption world.Scene) float64 {
	p = p.Resized(measured)
	horizon, _ := Horizon(p)
	total := 0.
	for row, colour := range rowMedians(p) {
		y := (float64(row) + .5) / measured
		var off float64
		switch {
		case y > horizon:
			off = meanOff(colour, world.Ground(caption.Place, caption.Time, y, horizon))
			if slices.Contains(caption.Things(), world.Field) { // which may be wider than half of the row
				off = math.Min(off, meanOff(colour, world.FieldColour(caption.Time)))
			}
		case caption.Thing == world.Mountains && y > horizon-float64(mountainRows)/measured:
			off = math.Min(meanOff(colour, world.Sky(caption.Time, y, horizon)), meanOff(colour, world.Rock(caption.Time)))
		default:
			off = meanOff(colour, world.Sky(caption.Time, y, horizon))
		}
		total += off / measured
	}
	return total
}

// meanOff is the mean distance of two colours' channels.
func meanOff(a, b world.RGB) float64 {
	d := a.Sub(b)
	return (math.Abs(float64(d[0])) + math.Abs(float64(d[1])) + math.Abs(float64(d[2]))) / 3
}
