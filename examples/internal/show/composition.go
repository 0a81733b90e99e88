package show

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/measuring"
	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// What counts as composed.
const (
	composedApart   = .06 // distance of horizon and tree from their lines, in sides of the picture
	composedOverlap = .5  // of the field and its box
)

// Column measures how far a landscape's tree is from a column, in widths of the picture.
// Without a tree there is no distance.
func Column(x float64) Gauge {
	g := Gauge{Name: "column distance", Less: true, Tolerance: .01, Half: .08}
	return captioned(g, func(p *world.Picture, caption world.Scene) float64 {
		at, ok := measuring.TreeColumn(p, caption)
		if !ok {
			return math.NaN()
		}
		return math.Abs(at - x)
	}, world.Landscape)
}

// Overlap measures the area that a landscape's field and a box share, over the area
// that either covers: 0 without a field.
func Overlap(box overlay.Area) Gauge {
	g := Gauge{Name: "overlap", Tolerance: .03, Half: composedOverlap}
	return captioned(g, func(p *world.Picture, caption world.Scene) float64 {
		field, _ := measuring.FieldBox(p, caption)
		return field.Overlap(boxOf(box))
	}, world.Landscape)
}

// Composed tells whether the horizon of a landscape is at a row, its tree at a column,
// and its field in a box.
func Composed(row, column float64, box overlay.Area) Gauge {
	g := Gauge{Name: "composed", Share: true, Tolerance: .05}
	return captioned(g, func(p *world.Picture, caption world.Scene) float64 {
		horizon, sure := measuring.Horizon(p)
		tree, there := measuring.TreeColumn(p, caption)
		field, _ := measuring.FieldBox(p, caption)
		return truth(sure >= measuring.HorizonSure && math.Abs(horizon-row) <= composedApart &&
			there && math.Abs(tree-column) <= composedApart && field.Overlap(boxOf(box)) >= composedOverlap)
	}, world.Landscape)
}

func boxOf(a overlay.Area) world.Box {
	return world.Box{Left: a.Min.X, Top: a.Min.Y, Right: a.Max.X, Bottom: a.Max.Y}
}
