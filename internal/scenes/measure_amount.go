package scenes

import "math"

// Where amounts are read, and what counts as a subject.
const (
	lakeCore     = .70 // share of the lake's radii within which water is read
	lakeContrast = .10 // least distance of a lake's colour from the land around it
	nightBelow   = .45 // mean brightness of a wall's corners at night
	lampContrast = .05 // least distance of a lamp's shade from the wall beside it
)

// The part of a lamp's picture that is inside the shade wherever the lamp stands.
const coreLeft, coreRight, coreTop, coreBottom = .45, .55, .36, .44

// MeasureAmount returns how much of a lake is ice or how lit a lamp is, by
// where its colour lies between those of both ends: about 0 to 1, and beyond
// for colours beyond them. It is NaN for the other families.
func MeasureAmount(p *Picture, f Family) float64 {
	p = p.resized(measured)
	switch f {
	case Lake:
		return p.iceAmount()
	case Lamp:
		return p.lightAmount()
	}
	return math.NaN()
}

// iceAmount is the median over the lake's core, which cracks and boats do not sway.
func (p *Picture) iceAmount() float64 {
	var shares []float64
	core := ellipse(lakeX, lakeY, lakeCore*lakeRX, lakeCore*lakeRY)
	p.eachIn(core, func(v RGB, _, y float64) {
		t := clamp01((y - lakeY + lakeRY) / (2 * lakeRY))
		shares = append(shares, v.along(mix(water[0], water[1], t), mix(ice[0], ice[1], t)))
	})
	return quantile(shares, .5)
}

func (p *Picture) lightAmount() float64 {
	shade := shadeColour
	if p.isNight() {
		shade = shade.times(nightDim)
	}
	var shares []float64
	p.eachIn(rect(coreLeft, coreTop, coreRight, coreBottom), func(v RGB, _, _ float64) {
		shares = append(shares, v.along(shade, litColour))
	})
	return quantile(shares, .5)
}

// isNight tells from the upper corners, where lamplight hardly reaches.
func (p *Picture) isNight() bool {
	var corners []float64
	for _, x := range []float64{0, .88} {
		p.eachIn(rect(x, 0, x+.12, .1), func(v RGB, _, _ float64) {
			corners = append(corners, v.dot(RGB{1. / 3, 1. / 3, 1. / 3}))
		})
	}
	return quantile(corners, .5) < nightBelow
}

// eachIn visits the pixels whose middles are inside a shape.
func (p *Picture) eachIn(s shape, visit func(v RGB, x, y float64)) {
	side := float64(p.Size)
	for row := max(0, int(s.top*side)); row <= min(p.Size-1, int(s.bottom*side)); row++ {
		for column := max(0, int(s.left*side)); column <= min(p.Size-1, int(s.right*side)); column++ {
			x, y := (float64(column)+.5)/side, (float64(row)+.5)/side
			if s.distance(x, y) <= 0 {
				visit(p.At(column, row), x, y)
			}
		}
	}
}

// median is the median colour inside a shape.
func (p *Picture) median(s shape) RGB {
	var colours []RGB
	p.eachIn(s, func(v RGB, _, _ float64) { colours = append(colours, v) })
	return medianColour(colours)
}

// lakeThere tells whether the lake stands out from the land beside it.
func (p *Picture) lakeThere() bool {
	lake := p.median(ellipse(lakeX, lakeY, lakeCore*lakeRX, lakeCore*lakeRY))
	left := p.median(rect(0, lakeY-.1, .045, lakeY+.1))
	right := p.median(rect(.955, lakeY-.1, 1, lakeY+.1))
	return math.Min(lake.sub(left).norm(), lake.sub(right).norm()) > lakeContrast
}

// lampThere tells whether the shade stands out from the wall on both sides.
func (p *Picture) lampThere() bool {
	shade := p.median(rect(coreLeft, coreTop, coreRight, coreBottom))
	left := p.median(rect(.04, coreTop, .16, coreBottom))
	right := p.median(rect(.84, coreTop, .96, coreBottom))
	return math.Min(shade.sub(left).norm(), shade.sub(right).norm()) > lampContrast
}
