package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// What a big tree is read by.
const (
	branchShare = .40  // of the crown's core is branches when no leaf is left
	crownTone   = 1.04 // of the leaves in the core, in shares of world.Leaves
	marginLeft  = 6    // columns on the left where nothing stands
	skyShift    = .12  // how far a sky may be off that of its season, per channel

	crownContrast = .20 // least distance from the sky of a fifth of the crown, leaves or branches
	crownTop      = .80 // the quantile that this is about
	trunkContrast = .25 // least distance of the trunk from what is behind it
	trunkWidth    = 3   // px
)

// crownCore is inside the crown wherever the tree stands.
var crownCore = world.Ellipse(world.TreeX, world.CrownY-.01, .16, .10)

// leavesAmount tells how bare a tree is by the mean colour of the crown's core: that
// of leaves, or of sky between branches. A blurred picture has the same mean.
func leavesAmount(p *world.Picture) float64 {
	winter := isWinter(p)
	var crown, sky []world.RGB
	p.Inside(crownCore, func(v world.RGB, _, y float64) {
		nominal, beside := world.TreeSky(winter, y), marginAt(p, int(y*measured))
		for c := range beside {
			beside[c] = max(nominal[c]-skyShift, min(nominal[c]+skyShift, beside[c]))
		}
		crown, sky = append(crown, v), append(sky, beside)
	})
	return meanColour(crown).Along(world.Leaves.Scale(crownTone), world.Mix(meanColour(sky), world.Bark, branchShare))
}

// isWinter tells by the sky beside a tree.
func isWinter(p *world.Picture) bool {
	off := map[bool]float64{}
	for row := range measured / 2 {
		beside := marginAt(p, row)
		for _, winter := range []bool{false, true} {
			off[winter] += beside.Sub(world.TreeSky(winter, (float64(row)+.5)/measured)).Norm()
		}
	}
	return off[true] < off[false]
}

// marginAt is the colour of a row at the left, where neither trees nor houses stand.
func marginAt(p *world.Picture, row int) world.RGB {
	var colours []world.RGB
	for column := range marginLeft {
		colours = append(colours, p.At(column, row))
	}
	return medianColour(colours)
}

// standingOut lists how far the pixels inside a shape are from the colour of the
// margin in their row.
func standingOut(p *world.Picture, s world.Shape) []float64 {
	var all []float64
	p.Inside(s, func(v world.RGB, _, y float64) {
		all = append(all, v.Sub(marginAt(p, int(y*measured))).Norm())
	})
	return all
}

// treeThere tells whether a trunk and either branches or leaves stand out.
func treeThere(p *world.Picture) bool {
	return quantile(standingOut(p, crownCore), crownTop) > crownContrast && trunkOut(p) > trunkContrast
}

// trunkOut is how far the trunk's columns are from the margin, on average: posts of a
// fence are thinner than it.
func trunkOut(p *world.Picture) float64 {
	const reach, top, bottom = .11, world.TreeBase - .22, world.TreeBase - .06
	var columns []float64
	for x := world.TreeX - reach; x <= world.TreeX+reach; x += 1. / measured {
		columns = append(columns, mean(standingOut(p, around(x, (top+bottom)/2, .5/measured, (bottom-top)/2))))
	}
	most := 0.
	for k := trunkWidth; k <= len(columns); k++ {
		most = math.Max(most, mean(columns[k-trunkWidth:k]))
	}
	return most
}
