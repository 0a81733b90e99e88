package measuring

import (
	"math"

	"github.com/dualprocess/dualprocess-go/internal/pocket/world"
)

// HorizonSure is the confidence from which there is a horizon.
const HorizonSure = .25

// What counts as a subject.
const (
	paletteNear  = .08 // palette error up to which a landscape's colours are the caption's
	lakeContrast = .10 // least distance of a lake's colour from the land around it
	lampContrast = .05 // least distance of a lamp's shade from the wall beside it
)

// SubjectThere tells whether a picture still shows what its caption (see
// world.Parse) names: a landscape in its colours with a horizon, a readable drawing
// of the right thing, both objects, the lake, the lamp, the tree with its trunk, the
// house with its roof.
func SubjectThere(p *world.Picture, caption world.Scene) bool {
	p = p.Resized(measured)
	switch caption.Family {
	case world.Landscape:
		_, sure := Horizon(p)
		return sure >= HorizonSure && PaletteError(p, caption) <= paletteNear
	case world.Drawing:
		return Thing(p).Good(caption.Thing)
	case world.Room:
		_, present := Nearness(p, caption.Objects)
		return present[0] && present[1]
	case world.Lake:
		return lakeThere(p)
	case world.Lamp:
		return lampThere(p)
	case world.Tree:
		return treeThere(p)
	default:
		return houseThere(p)
	}
}

// lakeThere tells whether the lake stands out from the land beside it.
func lakeThere(p *world.Picture) bool {
	lake := median(p, world.Ellipse(world.LakeX, world.LakeY, lakeCore*world.LakeRX, lakeCore*world.LakeRY))
	left := median(p, world.Rect(0, world.LakeY-.1, .045, world.LakeY+.1))
	right := median(p, world.Rect(.955, world.LakeY-.1, 1, world.LakeY+.1))
	return math.Min(lake.Sub(left).Norm(), lake.Sub(right).Norm()) > lakeContrast
}

// lampThere tells whether the shade stands out from the wall on both sides.
func lampThere(p *world.Picture) bool {
	shade := median(p, world.Rect(coreLeft, coreTop, coreRight, coreBottom))
	left := median(p, world.Rect(.04, coreTop, .16, coreBottom))
	right := median(p, world.Rect(.84, coreTop, .96, coreBottom))
	return math.Min(shade.Sub(left).Norm(), shade.Sub(right).Norm()) > lampContrast
}
